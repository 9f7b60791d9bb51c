/** The mail server that notifications go through. Its password is no setting: it comes from a Secret. */
export interface Smtp {
  readonly host: string;
  readonly port: number;
  /** `StartTLS`: encrypted after a greeting, and never without (port 587). `TLS`: from the first byte (465). `None`: not at all. */
  readonly security: 'StartTLS' | 'TLS' | 'None';
  /** Who the mails are from, such as `tollgate@example.com`. */
  readonly from: string;
  /** Null where the server asks for no password. */
  readonly username: string | null;
}

/** What is wrong with the setting, in one sentence without anything of what was written: it may hold a password. */
export interface SmtpProblem {
  readonly problem: string;
}

const FIELDS = ['host', 'port', 'security', 'from', 'username'];
const PORTS = { StartTLS: 587, TLS: 465, None: 25 };
const HOST = /^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?$|^[0-9a-fA-F:]{2,45}$/;
const ADDRESS = /^[^\s<>@"]{1,64}@[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?$/;

type Given = Readonly<Record<string, unknown>>;

/** What must hold, and what is said where it does not. */
const CHECKS: readonly (readonly [holds: (given: Given) => boolean, problem: string])[] = [
  [
    (given) => Object.keys(given).every((name) => FIELDS.includes(name)),
    `has only the fields ${FIELDS.join(', ')} (the password is in TOLLGATE_SMTP_PASSWORD)`,
  ],
  [({ security }) => Object.hasOwn(PORTS, String(security)), 'security must be StartTLS, TLS or None'],
  [({ host }) => typeof host === 'string' && HOST.test(host), 'host must be a name or an address'],
  [({ port }) => isPort(port), 'port must be a whole number from 1 to 65535'],
  [
    ({ from }) => typeof from === 'string' && ADDRESS.test(from),
    'from must be an address such as tollgate@example.com',
  ],
  [({ username }) => username === null || (typeof username === 'string' && username !== ''), 'username must be a text'],
  [
    ({ username, security }) => username === null || security !== 'None',
    'security must be StartTLS or TLS where there is a username',
  ],
];

/** Reads the setting `smtp`. Never throws. */
export function readSmtp(value: unknown): Smtp | SmtpProblem {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { problem: 'must be a mapping' };
  const { security = 'StartTLS' } = value as Given;
  const given = { port: PORTS[security as Smtp['security']] ?? 0, username: null, ...value, security };
  const problem = CHECKS.find(([holds]) => !holds(given))?.[1];
  return problem === undefined ? (given as unknown as Smtp) : { problem };
}

function isPort(port: unknown): boolean {
  return typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535;
}
