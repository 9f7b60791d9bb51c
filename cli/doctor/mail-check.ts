/** The mail server that notifications go through, where the settings name one. */

import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Smtp } from '../../policy/config/smtp.ts';
import { type Finding, fine, warning } from './finding.ts';
import type { Installation } from './installation.ts';

const PATIENCE_MS = 5_000;
/** No greeting is longer. Characters. */
const LONGEST = 1_000;

/** Whether it greets. Nobody logs in there: the password is the operator's alone. */
export async function checkMail({ settings: { smtp } }: Installation): Promise<Finding[]> {
  if (smtp === null) return [];
  const name = `The mail server ${smtp.host}:${smtp.port}`;
  const remedy = 'Check settings.smtp, and whether operators may reach it; helm test asks from inside of the cluster.';
  try {
    const greeting = await greetingOf(smtp);
    if (greeting.startsWith('220')) return [fine(`${name} greets.`)];
    return [warning(`${name} does not greet as one: ${JSON.stringify(greeting.slice(0, 80))}.`, remedy)];
  } catch (error) {
    return [warning(`${name} does not answer from here: ${(error as Error).message}.`, remedy)];
  }
}

/** Its first line. Throws an Error that says why there is none. */
function greetingOf({ host, port, security }: Smtp): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = security === 'TLS' ? connectTls({ host, port, servername: host }) : connect({ host, port });
  let text = '';
  socket.setEncoding('utf8').on('data', (more: string) => {
    text += more;
    if (text.includes('\n') || text.length > LONGEST) resolve(text.trim());
  });
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('it closed the connection')));
  const late = setTimeout(() => reject(new Error(`nothing within ${PATIENCE_MS / 1000} s`)), PATIENCE_MS);
  return promise.finally(() => {
    clearTimeout(late);
    socket.destroy();
  });
}
