/**
 * The usage record: what the log keeps of one call, or of one request of a Message Batch. This table is the only list of
 * its columns. The gateway, the batch poller and the ledger's scripts write records of its type to the usage stream, the
 * log decodes them by it into Postgres, and docs/reference/usage-log.md prints it.
 */

/** What a column holds: a type of Postgres, or `nano`, an amount of nano-dollars (bigint in Postgres). */
export type ColumnType = keyof JSONTypes;

/** How a record has each type. Amounts are decimal strings, because JSON's numbers do not hold all of them. */
interface JSONTypes {
  readonly text: string;
  /** RFC 3339. */
  readonly timestamptz: string;
  readonly integer: number;
  readonly bigint: number;
  readonly nano: string;
  readonly boolean: boolean;
  /** JSON text: the record itself is flat. */
  readonly jsonb: string;
}

interface Column {
  readonly type: ColumnType;
  /** The field of the usage record, where it has another name; null where none fills it. */
  readonly field?: string | null;
  /** For the reference page. */
  readonly meaning: string;
}

/** In the order of the table `calls`. */
const columns = {
  id: {
    type: 'text',
    meaning:
      "The gateway's own id of the call; also `id` in its log. `<id>/rest` is what stayed presumed of a call whose answer broke off, `<id>/free` stands for several calls (`calls`), `<id>/batch` what a Message Batch holds while it runs, and `<id>/batch/<custom_id>` one request of it.",
  },
  time: { type: 'timestamptz', field: 'timestamp', meaning: 'When the call ended.' },
  state: {
    type: 'text',
    meaning:
      '`final`: settled from what was seen of the answer. `presumed`: the cost is not known yet and counts at its worst case. `booked`, `released`: the cost never became known, and the call was booked at its worst case or given back.',
  },
  workspace: { type: 'text', meaning: '`namespace/name` of the ClaudeWorkspace.' },
  key: { type: 'text', meaning: 'The name of the key that the caller used.' },
  feature: { type: 'text', meaning: 'Attribute, as it counted.' },
  customer: { type: 'text', meaning: 'Attribute, as it counted.' },
  end_user: { type: 'text', field: 'user', meaning: 'The attribute `user`, as it counted.' },
  department: { type: 'text', meaning: 'Attribute, as it counted.' },
  tags: { type: 'jsonb', meaning: 'All other attributes, by name.' },
  asked_model: { type: 'text', meaning: 'The model that the caller asked for.' },
  model: { type: 'text', meaning: 'The model that the cost is for: the one that served.' },
  input_tokens: { type: 'integer', meaning: 'Input that was neither read from nor written to a cache.' },
  output_tokens: { type: 'integer', meaning: 'Output, including thinking.' },
  cache_read_tokens: { type: 'integer', meaning: 'Input read from the prompt cache.' },
  cache_write_5m_tokens: { type: 'integer', meaning: 'Input written to the prompt cache for 5 minutes.' },
  cache_write_1h_tokens: { type: 'integer', meaning: 'Input written to the prompt cache for 1 hour.' },
  web_searches: { type: 'integer', meaning: 'Requests of the web search tool.' },
  code_executions: { type: 'integer', meaning: 'Runs of the code execution tool.' },
  fast: { type: 'boolean', meaning: 'Served at the fast speed, and at its price.' },
  regional: { type: 'boolean', meaning: 'Inference was kept in a region, which has a surcharge.' },
  iterations: {
    type: 'jsonb',
    meaning:
      'The tokens of each sampling, where the answer listed them; some of these are in none of the columns above.',
  },
  cost_nano: { type: 'nano', meaning: 'What was booked, in nano-dollars: divide by 1e9 for dollars.' },
  presumed_nano: {
    type: 'nano',
    meaning:
      'What is presumed, in nano-dollars; in a `final` row, what its `<id>/rest` began with, so add up the rows with state `presumed`.',
  },
  worst_nano: { type: 'nano', meaning: 'What was reserved, in nano-dollars.' },
  estimated: {
    type: 'boolean',
    meaning: 'The cost was not taken from a final usage, or a model answered that has no known price.',
  },
  price_version: { type: 'text', meaning: 'The price book that the cost was calculated with.' },
  policy_version: { type: 'bigint', meaning: 'The version of the workspace that admitted the call.' },
  rule: { type: 'text', meaning: 'The rule of the workspace that decided about the call, if one did.' },
  ending: {
    type: 'text',
    meaning:
      'How the call ended, which decided its cost: [the table of endings](endings.md). `Batch` in the record of a Message Batch that was created.',
  },
  status: { type: 'integer', meaning: "The upstream's status; 0 if none came." },
  error_type: { type: 'text', meaning: "The upstream's `error.type`, also if it came in the middle of a stream." },
  stream: { type: 'boolean', meaning: 'Whether the answer was streamed.' },
  duration_ms: { type: 'integer', meaning: 'From the arrival of the call to the end of its answer.' },
  first_byte_ms: { type: 'integer', meaning: 'From sending the call upstream to the first bytes of its answer.' },
  session: { type: 'text', meaning: "Claude Code's session, if the caller named one; not verified." },
  request_id: { type: 'text', meaning: "The upstream's id of the call." },
  batch: { type: 'text', meaning: 'The Message Batch that the call was part of.' },
  details: { type: 'jsonb', field: null, meaning: 'Fields of the usage record that have no column.' },
  workspace_uid: {
    type: 'text',
    meaning: 'The uid of the ClaudeWorkspace: one that was deleted and made again has another.',
  },
  namespace_uid: { type: 'text', meaning: 'The uid of its namespace.' },
  calls: {
    type: 'integer',
    meaning:
      'How many calls the row stands for, if not one: 0 in `<id>/rest` and `<id>/batch`, or calls that cost nothing, of one key, feature, customer, `ending` and `status` in about a minute, where there were too many for a row each.',
  },
  counters: {
    type: 'jsonb',
    field: null,
    meaning:
      'The counters in which the call counts: budget, period, zone and start, and after `#` the values of `per`. Null in rows of earlier versions.',
  },
  original_nano: {
    type: 'nano',
    field: null,
    meaning:
      'What the call was booked at before a person corrected it ([how](../how-to/correct-a-call.md)), in nano-dollars; null if nobody did.',
  },
} as const satisfies Record<string, Column>;

type Columns = typeof columns;

export type UsageColumn = keyof Columns;

type FieldOf<Name extends UsageColumn> = Columns[Name] extends { readonly field: infer Field extends string }
  ? Field
  : Name;

/** Those that a field of the usage record fills. */
type FilledColumn = {
  [Name in UsageColumn]: Columns[Name] extends { readonly field: null } ? never : Name;
}[UsageColumn];

type Fields = {
  readonly [Name in FilledColumn as FieldOf<Name>]: JSONTypes[Columns[Name]['type']] | null;
};

/**
 * How well the cost of a call is known, from the lowest rank to the highest; of several records of one `id` the highest
 * rank counts. `presumed`: at most `worst_nano`. `booked`, `released`: resolved without the cost, at an assumed amount or
 * at nothing. `final`: the cost itself. `released` outranks `booked`, since a gateway that comes back and releases a call
 * knows that it cost nothing, and the amount booked was an assumption (decision 0008).
 */
export const RECORD_STATES = ['presumed', 'booked', 'released', 'final'] as const;

export type RecordState = (typeof RECORD_STATES)[number];

interface Identity {
  readonly id: string;
  /** `final` if absent. */
  readonly state?: RecordState;
  /** Only in the record that a Message Batch starts with: what is needed to put the batch back into a ledger. JSON. */
  readonly meta?: string;
  /** The `names` in the request that were neither known nor harmless, and whether they have `exceeded` their bound: JSON. Without a column, so in `details`. */
  readonly unknown?: string;
}

/** One call in the usage stream, flat JSON; `<id>/rest` and `<id>/batch` (see `id`) are records of their own. */
export type UsageRecord = Identity & Partial<Omit<Fields, keyof Identity>>;

/** A record that says all there is to say of a call: a new column does not compile until its writers fill it. */
export type CallRecord = Identity & Omit<Fields, keyof Identity | 'batch' | 'calls'> & Pick<UsageRecord, 'batch'>;

/** The record that stands for several calls which cost nothing, of which `first` is one. `timestamp` as in a record. */
export function sumRecord(first: CallRecord, calls: number, timestamp: string): UsageRecord {
  const { workspace, workspace_uid, namespace_uid, key, feature, customer, ending, status } = first;
  const owner = { workspace, workspace_uid, namespace_uid, key };
  const id = `${first.id}/free`;
  return { id, state: 'final', timestamp, ...owner, feature, customer, cost_nano: '0', ending, status, calls };
}

export type UsageField = keyof UsageRecord;

/** A record as it is read from the stream, where nothing has checked it yet. */
export type StreamedRecord = { readonly [Field in UsageField]?: unknown };

/** Every column with the field that fills it, if one does, in the order of the table. */
export const callColumns: readonly {
  readonly name: UsageColumn;
  readonly field: UsageField | null;
  readonly type: ColumnType;
  readonly sqlType: string;
  readonly meaning: string;
}[] = (Object.entries(columns) as [UsageColumn, Column][]).map(([name, { type, field = name, meaning }]) => ({
  name,
  field: field as UsageField | null,
  type,
  sqlType: type === 'nano' ? 'bigint' : type,
  meaning,
}));
