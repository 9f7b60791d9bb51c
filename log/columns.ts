/** The columns of the table of calls: how a usage record becomes a row, and what docs/reference/usage-log.md says. */

/** How a value is read and stored. */
export type ColumnType = 'text' | 'timestamptz' | 'integer' | 'bigint' | 'boolean' | 'jsonb';

interface Column {
  readonly type: ColumnType;
  /** The field of the usage record, where it has another name. */
  readonly field?: string;
  /** For the reference page. */
  readonly meaning: string;
}

/** In the order of the table. */
export const columns = {
  id: {
    type: 'text',
    meaning:
      "The gateway's own id of the call; also `id` in its log. `<id>/rest` is what stayed presumed of a call whose answer broke off, `<id>/batch` what a Message Batch holds while it runs, and `<id>/batch/<custom_id>` one request of it.",
  },
  time: { type: 'timestamptz', field: 'timestamp', meaning: 'When the call ended.' },
  state: {
    type: 'text',
    meaning:
      '`final`: booked from what was seen of the answer. `presumed`: nobody knows yet what it cost. `booked`, `released`: nobody found out, so that it was booked at its worst or given back.',
  },
  workspace: { type: 'text', meaning: '`namespace/name` of the ClaudeWorkspace.' },
  key: { type: 'text', meaning: 'The name of the key that the caller used.' },
  feature: { type: 'text', meaning: 'Attribute, as it counted.' },
  customer: { type: 'text', meaning: 'Attribute, as it counted.' },
  end_user: { type: 'text', field: 'user', meaning: 'The attribute `user`, as it counted.' },
  department: { type: 'text', meaning: 'Attribute, as it counted.' },
  tags: { type: 'jsonb', meaning: 'All other attributes, by name.' },
  asked_model: { type: 'text', meaning: 'The model that the caller asked for.' },
  model: { type: 'text', meaning: 'The model that the cost is of: the one that served.' },
  input_tokens: { type: 'integer', meaning: 'Input that was neither read from nor written to a cache.' },
  output_tokens: { type: 'integer', meaning: 'Output, with thinking.' },
  cache_read_tokens: { type: 'integer', meaning: 'Input read from the prompt cache.' },
  cache_write_5m_tokens: { type: 'integer', meaning: 'Input written to the prompt cache for 5 minutes.' },
  cache_write_1h_tokens: { type: 'integer', meaning: 'Input written to the prompt cache for 1 hour.' },
  web_searches: { type: 'integer', meaning: 'Requests of the web search tool.' },
  code_executions: { type: 'integer', meaning: 'Runs of the code execution tool.' },
  fast: { type: 'boolean', meaning: 'Served at the fast speed, and its price.' },
  regional: { type: 'boolean', meaning: 'Kept in a region, which has its surcharge.' },
  iterations: {
    type: 'jsonb',
    meaning:
      'Where the answer listed them: the tokens of each sampling, also those that are in none of the columns before.',
  },
  cost_nano: { type: 'bigint', meaning: 'What was booked, in nano-dollars: divide by 1e9 for dollars.' },
  presumed_nano: {
    type: 'bigint',
    meaning: 'What is presumed, in nano-dollars; of a `final` row what its `<id>/rest` began with.',
  },
  worst_nano: { type: 'bigint', meaning: 'What was reserved, in nano-dollars.' },
  estimated: { type: 'boolean', meaning: 'The cost was not taken from a final usage.' },
  price_version: { type: 'text', meaning: 'The price book that the cost was worked out with.' },
  policy_version: { type: 'bigint', meaning: 'The version of the workspace that admitted the call.' },
  rule: { type: 'text', meaning: 'The rule of the workspace that decided about the call, if one did.' },
  ending: {
    type: 'text',
    meaning:
      '`Answered`: the upstream ended its answer; `Broken`: the connection to the upstream; `Cancelled`: the caller left; `ErrorStatus`, `NeverSent`: it cost nothing.',
  },
  status: { type: 'integer', meaning: "The upstream's status; 0 where none came." },
  error_type: { type: 'text', meaning: "The upstream's `error.type`, also where it came in the middle of a stream." },
  stream: { type: 'boolean', meaning: 'Whether the answer was streamed.' },
  duration_ms: { type: 'integer', meaning: 'From the arrival of the call to the end of its answer.' },
  first_byte_ms: { type: 'integer', meaning: 'From sending the call upstream to the first bytes of its answer.' },
  session: { type: 'text', meaning: "Claude Code's session, where the caller named one; not to be trusted." },
  request_id: { type: 'text', meaning: "The upstream's id of the call." },
  batch: { type: 'text', meaning: 'The Message Batch that the call was part of.' },
  details: { type: 'jsonb', meaning: 'Fields of the usage record that have no column.' },
} as const satisfies Record<string, Column>;

/** A column's name. */
export type ColumnName = keyof typeof columns;

/** By name: for code that treats all columns alike. */
export const columnTypes: readonly (readonly [ColumnName, Column])[] = Object.entries(columns) as [
  ColumnName,
  Column,
][];
