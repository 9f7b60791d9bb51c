/** Checks the gateway's certificate, if it serves TLS. */

import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { type Secret, secrets } from '../../kube/kinds.ts';
import { undefinedIf } from '../../kube/kube-error.ts';
import type { CheckedInstallation } from './checked-installation.ts';
import { type Finding, fine, problem, unknown, warning } from './finding.ts';

const DAY_MS = 86_400_000;
/** cert-manager renews a certificate when a third of its life is left; one that is closer to its end was not renewed. */
const SOON_MS = 14 * DAY_MS;
const CONNECT_MS = 3_000;

/** Reads the certificate from the gateway, or, from outside the cluster, from the Secret that its Pods mount. */
export async function checkCertificate(installation: CheckedInstallation): Promise<Finding[]> {
  const url = new URL(installation.settings.gatewayURL);
  if (url.protocol !== 'https:') return [];
  const certificate = (await presentedCertificate(url)) ?? (await mountedCertificate(installation));
  if (certificate !== undefined) return [certificateFinding(certificate, url.hostname, installation.now())];
  return [
    unknown(`The certificate of ${url.host} cannot be read from here.`, 'Run it inside the cluster (helm test).'),
  ];
}

/** The finding for a certificate of `host` at `now` (milliseconds). */
function certificateFinding(certificate: X509Certificate, host: string, now: number): Finding {
  const left = Date.parse(certificate.validTo) - now;
  const until = new Date(certificate.validTo).toISOString().slice(0, 10);
  const renew = 'Renew it in the Secret of gateway.tls.secretName; gateways load it without a restart.';
  if (left <= 0) return problem(`The certificate of ${host} expired on ${until}.`, renew);
  if ((isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) === undefined) {
    const names = certificate.subjectAltName ?? certificate.subject;
    return problem(`The certificate is not for ${host} but for ${names}.`, renew);
  }
  if (left < SOON_MS) return warning(`The certificate of ${host} expires on ${until}.`, renew);
  return fine(`The certificate of ${host} is valid until ${until}.`);
}

/** The certificate that the gateway presents. Its CA is not checked here; callers do that. */
function presentedCertificate({ hostname, port }: URL): Promise<X509Certificate | undefined> {
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

async function mountedCertificate({
  client,
  namespace,
  pods,
}: CheckedInstallation): Promise<X509Certificate | undefined> {
  // Other volumes may hold certificates of Redis and Postgres.
  const volumes = (await pods()).flatMap(({ spec }) => spec?.volumes ?? []).filter(({ name }) => name === 'tls');
  for (const name of new Set(volumes.flatMap(({ secret }) => secret?.secretName ?? []))) {
    const found = await client.get<Secret>(secrets, { namespace, name }).catch(undefinedIf('Forbidden', 'NotFound'));
    const text = found?.type === 'kubernetes.io/tls' ? found.data?.['tls.crt'] : undefined;
    if (text) return new X509Certificate(Buffer.from(text, 'base64'));
  }
  return undefined;
}
