import * as v from 'valibot';
import { CONTRACT_PRICES } from '../prices/contract-prices.ts';
import { readBySchema } from '../schema/read-by-schema.ts';
import { mapping, oneOf, textLike, wholeNumber } from '../schema/schema-parts.ts';
import { ANSWER_HEADERS } from './answer-headers.ts';
import { NAMESPACE_ATTRIBUTES } from './namespace-attributes.ts';
import { SMTP } from './smtp.ts';

const LABEL_FORM = 'lower-case letters, digits and dashes, at most 63';
const LABEL = v.pipe(textLike(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, LABEL_FORM), v.maxLength(63, LABEL_FORM));

const HTTP_URL = v.custom<string>(
  (value) => typeof value === 'string' && isHttp(URL.parse(value)),
  'an http or https URL',
);

const ORIGIN = v.pipe(
  v.custom<string>(
    (value) => originOf(value) !== null,
    'a host (https) or an origin such as "http://127.0.0.1:8899", without a path',
  ),
  v.transform((value) => originOf(value)!),
);

const ORIGINS = v.pipe(
  v.array(ORIGIN, 'a list of hosts and origins'),
  v.minLength(1, 'at least one host or origin'),
  v.transform((origins): readonly string[] => Object.freeze(origins)),
);

/** To YAML 1.1, which Helm reads, a bare Off is false. */
const REQUIRE_BUDGET = v.picklist(['Any', 'Enforcing', 'Off'], 'Any, Enforcing or "Off", with its quotes');

/** As browsers write the origin of a page or of an extension: a default port is left out. */
const PAGE_ORIGIN = v.custom<string>(
  (value) =>
    typeof value === 'string' &&
    (originOf(value) === value || /^(?!https?:)[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9._-]+$/.test(value)),
  'the origin of a page as browsers write it, such as "https://app.example", without a path',
);

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A word, or a time such as `24h`, which is read as milliseconds. */
function wordOrTime<const W extends string>(word: W, time: RegExp, what: string) {
  return v.pipe(
    textLike(new RegExp(`^${word}$|${time.source}`), what),
    v.transform((written): W | number => (written === word ? word : milliseconds(written))),
  );
}

/** 31 days or more: for as long a Message Batch can be under way, and its rows say how far it has come. */
const RETENTION_DAYS = /^(3[1-9]|[4-9]\d|[1-9]\d{2,4})d$/;

/** What an installation decides for all its workspaces. One YAML file, read by the operator and by the gateways. */
const SETTINGS = mapping({
  /** Prefix of the ledger's keys, so that several installations can share a Redis. */
  installation: v.optional(LABEL, 'tollgate'),
  /** Where Tollgate runs, and the only namespace whose budgets may span others. */
  namespace: v.optional(LABEL, 'tollgate-system'),
  /** Goes into the key Secrets as ANTHROPIC_BASE_URL. */
  gatewayURL: v.optional(HTTP_URL, 'http://tollgate-gateway.tollgate-system.svc:8080'),
  /** The origins that a workspace may name as its upstream, such as `https://api.anthropic.com`. */
  upstreams: v.optional(ORIGINS, ['https://api.anthropic.com']),
  /** The pages that may call from a browser. */
  browserOrigins: v.optional(
    v.pipe(
      v.array(PAGE_ORIGIN, 'a list of origins'),
      v.maxLength(64, 'at most 64 origins'),
      v.transform((origins): readonly string[] => Object.freeze(origins)),
    ),
    [],
  ),
  /** Which headers of the upstream's answers callers get beside those that clients need. */
  answerHeaders: v.optional(ANSWER_HEADERS, []),
  /** Which budgets must apply to a call: any, one that enforces, or none, so that calls without one are only logged. */
  requireBudget: v.optional(REQUIRE_BUDGET, 'Any'),
  /**
   * What becomes of a field, value, block or beta of a request that Tollgate does not know: it is forwarded and the highest
   * bound reserved for it, or refused. A workspace may only tighten it.
   */
  unknownFields: v.optional(oneOf('Forward', 'Refuse'), 'Forward'),
  /** The label of namespaces that fixes each attribute of their calls, over workspace, key and caller. */
  namespaceAttributes: v.optional(NAMESPACE_ATTRIBUTES, {}),
  /** What happens upstream when a client leaves: the call is cancelled, or read to its end and booked exactly. */
  onAbort: v.optional(oneOf('Cancel', 'Drain'), 'Cancel'),
  /** How many ConfigMaps and Secrets the compiled policy is spread over. */
  shards: v.optional(wholeNumber(1, 64), 8),
  /** How long a call waits for room in a budget, or for the ledger. Seconds. */
  waitSeconds: v.optional(wholeNumber(0, 60, 'seconds'), 10),
  /** How many calls of a workspace may wait for one budget in one gateway. */
  waitersPerBudget: v.optional(wholeNumber(0, 10_000), 64),
  /** How often the operator asks whether a batch has ended. Seconds. */
  batchPollSeconds: v.optional(wholeNumber(1, 3_600, 'seconds'), 30),
  /** What happens to calls once the ledger was out of reach for `waitSeconds`: refused, or sent and booked afterwards. */
  ledgerLoss: v.optional(oneOf('Closed', 'Open'), 'Closed'),
  /** How many usage records may wait in the ledger for the log; at the bound nothing more is admitted. */
  usageStreamLimit: v.optional(wholeNumber(1_000, 10_000_000), 250_000),
  /** Which namespaces pay other than list prices. */
  pricing: v.optional(CONTRACT_PRICES, []),
  /** How long money is held for a call whose cost is unknown, before it is booked as spent. Milliseconds. */
  presumedHold: v.optional(
    wordOrTime('PeriodEnd', /^[1-9]\d{0,5}[smhd]$/, 'PeriodEnd or a time such as 24h or 30m'),
    'PeriodEnd',
  ),
  /** How long the usage log keeps its rows. Milliseconds. */
  usageLogRetention: v.optional(
    wordOrTime('Forever', RETENTION_DAYS, 'Forever or days such as 400d, at least 31d'),
    'Forever',
  ),
  /** How many users metrics may name. */
  namedUsers: v.optional(wholeNumber(0, 10_000), 0),
  /** How many customers metrics may name. */
  namedCustomers: v.optional(wholeNumber(0, 100), 0),
  /** Null where no mail is sent. */
  smtp: v.optional(v.nullable(SMTP), null),
});

export type Settings = Readonly<v.InferOutput<typeof SETTINGS>>;

/** The settings have mistakes; `problems` names every one of them, each with its field. */
export class SettingsInvalid extends Error {
  override readonly name = 'SettingsInvalid';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The settings are not valid:\n${problems.map((problem) => `  ${problem}.`).join('\n')}`);
    this.problems = problems;
  }
}

/**
 * Checks a parsed settings file; an absent field has its default, an empty file (null) has them all.
 * @throws SettingsInvalid with all problems. It shows nothing of what was written below `smtp`.
 */
export function parseSettings(value: unknown): Settings {
  const read = readBySchema(SETTINGS, value ?? {}, { root: 'the file', secret: ['smtp'] });
  if (!read.ok) throw new SettingsInvalid(read.error);
  return Object.freeze(read.value);
}

/** Whether `baseURL` is at one of the origins that the installation allows, without credentials, query or fragment. */
export function allowsUpstream(settings: Settings, baseURL: string): boolean {
  const url = URL.parse(baseURL);
  if (url === null || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return false;
  return settings.upstreams.includes(url.origin);
}

function originOf(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const url = URL.parse(value.includes('://') ? value : `https://${value}`);
  return isHttp(url) && url.href === `${url.origin}/` ? url.origin : null;
}

function isHttp(url: URL | null): url is URL {
  return url?.protocol === 'http:' || url?.protocol === 'https:';
}

/** `24h` in milliseconds. */
function milliseconds(written: string): number {
  return Number(written.slice(0, -1)) * UNITS[written.at(-1)!]!;
}
