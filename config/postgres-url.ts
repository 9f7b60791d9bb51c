import * as v from 'valibot';

/** What libpq has for `sslmode`. */
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

export type SslMode = (typeof SSL_MODES)[number];

/** The schema of the address of a Postgres; an empty one counts as absent. */
export const postgresUrl = v.pipe(
  v.custom<string>(
    (url) => url === '' || ['postgres:', 'postgresql:'].includes(URL.parse(String(url))?.protocol ?? ''),
    'postgres://user:password@host:port/database',
  ),
  v.check(
    (url) => SSL_MODES.some((mode) => (sslModeOf(url) ?? 'prefer') === mode),
    `names an unknown sslmode: write ${SSL_MODES.slice(0, -1).join(', ')} or ${SSL_MODES.at(-1)}`,
  ),
);

function sslModeOf(url: string): string | null {
  return URL.parse(url)?.searchParams.get('sslmode') ?? null;
}
