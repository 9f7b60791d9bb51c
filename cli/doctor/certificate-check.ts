/** The certificate that callers see, where the gateway speaks TLS. */

import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { isKubeError } from '../../kube/kube-error.ts';
import { type Finding, fine, problem, unknown, warning } from './finding.ts';
import type { Installation } from './installation.ts';
import { type Holder, secrets } from './kube-kinds.ts';

const DAY_MS = 86_400_000;
/** cert-manager renews a third of its life before a certificate's end: who is closer than this was not renewed. */
const SOON_MS = 14 * DAY_MS;
const CONNECT_MS = 3_000;

/** Asks the gateway itself, or from outside of the cluster reads the Secret that its Pods mount. */
export async function checkCertificate(patient: Installation): Promise<Finding[]> {
  const url = new URL(patient.settings.gatewayURL);
  if (url.protocol !== 'https:') return [];
  const certificate = (await shown(url)) ?? (await mounted(patient));
  if (certificate === undefined)
    return [
      unknown(`The certificate of ${url.host} is out of sight from here.`, 'Run it inside of the cluster (helm test).'),
    ];
  return [judged(certificate, url.hostname, patient.now())];
}

/** What is wrong with a certificate for `host` at `now` (milliseconds). */
function judged(certificate: X509Certificate, host: string, now: number): Finding {
  const left = Date.parse(certificate.validTo) - now;
  const until = new Date(certificate.validTo).toISOString().slice(0, 10);
  const renew = 'Renew it in the Secret that gateway.tls.secretName names; gateways take it without a restart.';
  if (left <= 0) return problem(`The certificate of ${host} ended on ${until}.`, renew);
  if ((isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) === undefined)
    return problem(
      `The certificate is not for ${host} but for ${certificate.subjectAltName ?? certificate.subject}.`,
      renew,
    );
  if (left < SOON_MS) return warning(`The certificate of ${host} ends on ${until}.`, renew);
  return fine(`The certificate of ${host} is good until ${until}.`);
}

/** Whoever has signed it: callers check that, here only the certificate counts. */
function shown({ hostname, port }: URL): Promise<X509Certificate | undefined> {
  return new Promise((resolve) => {
    const named = isIP(hostname) === 0 ? { servername: hostname } : {};
    const options = { host: hostname, port: Number(port || 443), ...named, rejectUnauthorized: false };
    const socket = connect(options, () => end(socket.getPeerX509Certificate()));
    const end = (certificate: X509Certificate | undefined) => {
      socket.destroy();
      resolve(certificate);
    };
    socket.setTimeout(CONNECT_MS, () => end(undefined));
    socket.on('error', () => end(undefined));
  });
}

async function mounted(patient: Installation): Promise<X509Certificate | undefined> {
  const { client, namespace } = patient;
  // Of Redis and Postgres there may be certificates too.
  const volumes = (await patient.pods()).flatMap(
    ({ spec }) => spec?.volumes?.filter(({ name }) => name === 'tls') ?? [],
  );
  for (const name of new Set(volumes.flatMap(({ secret }) => secret?.secretName ?? []))) {
    const found = await client.get<Holder>(secrets, { namespace, name }).catch((error: unknown) => {
      if (isKubeError(error, 'Forbidden', 'NotFound')) return undefined;
      throw error;
    });
    const text = found?.type === 'kubernetes.io/tls' ? found.data?.['tls.crt'] : undefined;
    if (text) return new X509Certificate(Buffer.from(text, 'base64'));
  }
  return undefined;
}
