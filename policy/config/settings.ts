import { type Pricing, readContractPrices } from '../prices/contract-prices.ts';
import { readSmtp, type Smtp } from './smtp.ts';

/** What an installation decides for all its workspaces. One YAML file, read by the operator and by the gateways. */
export interface Settings {
  /** Prefix of the ledger's keys, so that several installations can share a Redis. */
  readonly installation: string;
  /** Where Tollgate runs, and the only namespace whose budgets may span others. */
  readonly namespace: string;
  /** Goes into the key Secrets as ANTHROPIC_BASE_URL. */
  readonly gatewayURL: string;
  /** The origins that a workspace may name as its upstream, such as `https://api.anthropic.com`. */
  readonly upstreams: readonly string[];
  /** Whether a call that no enforcing budget governs is refused. */
  readonly requireBudget: boolean;
  /** What happens upstream when a client leaves: the call is cancelled, or read to its end and booked exactly. */
  readonly onAbort: 'Cancel' | 'Drain';
  /** How many ConfigMaps and Secrets the compiled policy is spread over. */
  readonly shards: number;
  /** How long a call waits for room in a budget, or for the ledger. Seconds. */
  readonly waitSeconds: number;
  /** How many calls may wait for one budget in one gateway. */
  readonly waitersPerBudget: number;
  /** How often the operator asks whether a batch has ended. Seconds. */
  readonly batchPollSeconds: number;
  /** What happens to calls once the ledger was out of reach for `waitSeconds`: refused, or sent and booked afterwards. */
  readonly ledgerLoss: 'Closed' | 'Open';
  /** How many usage records may wait in the ledger for the log; at the bound nothing more is admitted. */
  readonly usageStreamLimit: number;
  /** Which namespaces pay other than list prices. */
  readonly pricing: readonly Pricing[];
  /** How long money is held for a call of which nobody knows the cost, before it is booked as spent. Milliseconds. */
  readonly presumedHold: 'PeriodEnd' | number;
  /** How long the usage log keeps its rows. Milliseconds. */
  readonly usageLogRetention: 'Forever' | number;
  /** How many users, and how many customers, metrics may name. */
  readonly namedUsers: number;
  readonly namedCustomers: number;
  /** The mail server that notifications go through; null where no mail is sent. */
  readonly smtp: Smtp | null;
}

/** The settings have mistakes; `problems` names every one of them, each with its field. */
export class SettingsInvalid extends Error {
  override readonly name = 'SettingsInvalid';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The settings are not valid:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** Reads one field: a value that is right, or a sentence that says what to write. */
type Field<T> = (value: unknown) => T | Problem;

class Problem {
  readonly sentence: string;
  /** False where what was written may hold a password. */
  readonly isShown: boolean;
  constructor(sentence: string, isShown = true) {
    this.sentence = sentence;
    this.isShown = isShown;
  }
}

const DEFAULTS: Settings = {
  installation: 'tollgate',
  namespace: 'tollgate-system',
  gatewayURL: 'http://tollgate-gateway.tollgate-system.svc:8080',
  upstreams: ['https://api.anthropic.com'],
  requireBudget: true,
  onAbort: 'Cancel',
  shards: 8,
  waitSeconds: 10,
  waitersPerBudget: 64,
  batchPollSeconds: 30,
  ledgerLoss: 'Closed',
  usageStreamLimit: 250_000,
  pricing: [],
  presumedHold: 'PeriodEnd',
  usageLogRetention: 'Forever',
  namedUsers: 0,
  namedCustomers: 0,
  smtp: null,
};

const FIELDS: { readonly [K in keyof Settings]: Field<Settings[K]> } = {
  installation: label,
  namespace: label,
  gatewayURL: httpURL,
  upstreams: origins,
  requireBudget: (value) => (typeof value === 'boolean' ? value : new Problem('must be true or false')),
  onAbort: oneOf('Cancel', 'Drain'),
  shards: integer(1, 64),
  waitSeconds: integer(0, 60),
  waitersPerBudget: integer(0, 10_000),
  batchPollSeconds: integer(1, 3_600),
  ledgerLoss: oneOf('Closed', 'Open'),
  usageStreamLimit: integer(1_000, 10_000_000),
  pricing: contracts,
  presumedHold: hold,
  usageLogRetention: retention,
  namedUsers: integer(0, 10_000),
  namedCustomers: integer(0, 100),
  smtp,
};

/**
 * Checks a parsed settings file; an absent field has its default, an empty file (null) has them all.
 * Throws `SettingsInvalid`.
 */
export function parseSettings(value: unknown): Settings {
  const given = value ?? {};
  if (typeof given !== 'object' || Array.isArray(given)) throw new SettingsInvalid(['The file must be a mapping.']);
  const known = Object.keys(FIELDS);
  const problems = Object.keys(given)
    .filter((name) => !known.includes(name))
    .map((name) => `${name}: there is no such setting; there are ${known.join(', ')}`);
  const read = known.map((name) => {
    const written: unknown = Object.hasOwn(given, name) ? Reflect.get(given, name) : undefined;
    const result = written === undefined ? DEFAULTS[name as keyof Settings] : FIELDS[name as keyof Settings](written);
    if (result instanceof Problem)
      problems.push(`${name}: ${result.sentence}${result.isShown ? `, not ${JSON.stringify(written)}` : ''}`);
    return [name, result];
  });
  if (problems.length > 0) throw new SettingsInvalid(problems);
  const settings = Object.fromEntries(read) as Settings;
  Object.freeze(settings.upstreams);
  return Object.freeze(settings);
}

/** Whether `baseURL` is at one of the origins that the installation allows, without credentials, query or fragment. */
export function allowsUpstream(settings: Settings, baseURL: string): boolean {
  const url = URL.parse(baseURL);
  if (url === null || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return false;
  return settings.upstreams.includes(url.origin);
}

function label(value: unknown): string | Problem {
  return typeof value === 'string' && value.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(value)
    ? value
    : new Problem('must be lower-case letters, digits and dashes, at most 63');
}

function httpURL(value: unknown): string | Problem {
  const url = typeof value === 'string' ? URL.parse(value) : null;
  return url !== null && (url.protocol === 'http:' || url.protocol === 'https:')
    ? String(value)
    : new Problem('must be an http or https URL');
}

function origins(value: unknown): readonly string[] | Problem {
  const parsed = Array.isArray(value) ? value.map(origin) : [];
  return parsed.length > 0 && parsed.every((entry) => entry !== null)
    ? parsed
    : new Problem('must be a list of hosts (https) or of origins such as "http://127.0.0.1:8899", at least one');
}

function origin(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const url = URL.parse(value.includes('://') ? value : `https://${value}`);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return null;
  return url.href === `${url.origin}/` ? url.origin : null;
}

function contracts(value: unknown): readonly Pricing[] | Problem {
  const read = readContractPrices(value);
  return 'problem' in read ? new Problem(read.problem) : read;
}

function smtp(value: unknown): Smtp | null | Problem {
  const read = value === null ? null : readSmtp(value);
  return read !== null && 'problem' in read ? new Problem(read.problem, false) : read;
}

function oneOf<T extends string>(...allowed: readonly T[]): Field<T> {
  return (value) => allowed.find((name) => name === value) ?? new Problem(`must be ${allowed.join(' or ')}`);
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function hold(value: unknown): 'PeriodEnd' | number | Problem {
  if (value === 'PeriodEnd') return value;
  const [, count, unit = ''] = /^([1-9]\d{0,5})([smhd])$/.exec(String(value)) ?? [];
  if (count === undefined) return new Problem('must be PeriodEnd or a time such as 24h or 30m');
  return Number(count) * (UNITS[unit] ?? 0);
}

/** As long as a Message Batch can be under way: until then its rows say how far it has come. */
const LEAST_DAYS = 31;

function retention(value: unknown): 'Forever' | number | Problem {
  if (value === 'Forever') return value;
  const [, days = '0'] = /^([1-9]\d{0,4})d$/.exec(String(value)) ?? [];
  if (Number(days) < LEAST_DAYS) return new Problem(`must be Forever or days such as 400d, at least ${LEAST_DAYS}d`);
  return Number(days) * UNITS['d']!;
}

function integer(least: number, most: number): Field<number> {
  return (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
      ? value
      : new Problem(`must be a whole number from ${least} to ${most}`);
}
