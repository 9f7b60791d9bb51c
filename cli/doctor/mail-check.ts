/** Checks the mail server for notifications, if the settings name one. */

import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Smtp } from '../../policy/config/smtp.ts';
import type { CheckedInstallation } from './checked-installation.ts';
import { type Finding, fine, warning } from './finding.ts';

const TIMEOUT_MS = 5_000;
/** The maximum length of a greeting. Characters. */
const MAX_GREETING = 1_000;

/** Checks the greeting only: the password is known to the operator alone. */
export async function checkMail({ settings: { smtp } }: CheckedInstallation): Promise<Finding[]> {
  if (smtp === null) return [];
  const name = `The mail server ${smtp.host}:${smtp.port}`;
  const remedy = 'Check settings.smtp and the network policies of operators; helm test checks from inside the cluster.';
  try {
    const greeting = await greetingOf(smtp);
    if (greeting.startsWith('220')) return [fine(`${name} answers.`)];
    return [warning(`${name} does not greet like a mail server: ${JSON.stringify(greeting.slice(0, 80))}.`, remedy)];
  } catch (error) {
    return [warning(`${name} does not answer from here: ${(error as Error).message}.`, remedy)];
  }
}

/** The first line that the server sends. Rejects with an Error that says why there is none. */
function greetingOf({ host, port, security }: Smtp): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = security === 'TLS' ? connectTls({ host, port, servername: host }) : connect({ host, port });
  let text = '';
  socket.setEncoding('utf8').on('data', (more: string) => {
    text += more;
    if (text.includes('\n') || text.length > MAX_GREETING) resolve(text.trim());
  });
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('it closed the connection')));
  const timer = setTimeout(() => reject(new Error(`no greeting within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}
