/**
 * What the stand-in charges. A table and an arithmetic of its own, on purpose: our books are held against these, so
 * nothing here may come from policy/. All prices in nano-dollars a token ($1 per million tokens is 1,000).
 */

/** Input, cache write for 5 minutes, for an hour, cache read, output. */
type Row = readonly [input: bigint, write5m: bigint, write1h: bigint, read: bigint, output: bigint];

interface Model {
  row: Row;
  fast?: Row;
  /** Applies to the whole call where its prompt has more than 100,000 tokens. */
  long?: Row;
  /** The id under which it is also served. */
  dated?: string;
}

const FABLE_5_2: Model = {
  row: [8_000n, 10_000n, 16_000n, 200n, 40_000n],
  fast: [16_000n, 20_000n, 32_000n, 400n, 80_000n],
};
const OPUS_5: Row = [5_000n, 6_250n, 10_000n, 500n, 25_000n];
const OPUS_5_FAST: Row = [10_000n, 12_500n, 20_000n, 1_000n, 50_000n];
const SONNET_4: Row = [3_000n, 3_750n, 6_000n, 300n, 15_000n];

const MODELS: Readonly<Record<string, Model>> = {
  'claude-fable-5-2': FABLE_5_2,
  'claude-mythos-5-2': FABLE_5_2,
  'claude-fable-5-1': { row: [10_000n, 12_500n, 20_000n, 250n, 50_000n] },
  'claude-fable-5': { row: [10_000n, 12_500n, 20_000n, 1_000n, 50_000n] },
  'claude-opus-5-5': { row: [4_000n, 5_000n, 8_000n, 200n, 20_000n], fast: [8_000n, 10_000n, 16_000n, 400n, 40_000n] },
  'claude-opus-5': { row: OPUS_5, fast: OPUS_5_FAST },
  'claude-opus-4-8': { row: OPUS_5, fast: OPUS_5_FAST },
  'claude-opus-4-7': { row: OPUS_5 },
  'claude-opus-4-6': { row: OPUS_5 },
  'claude-opus-4-5': { row: OPUS_5, dated: 'claude-opus-4-5-20251101' },
  'claude-sonnet-5-5': { row: [2_000n, 2_500n, 4_000n, 100n, 10_000n] },
  'claude-sonnet-5': { row: [2_000n, 2_500n, 4_000n, 200n, 10_000n] },
  'claude-sonnet-4-6': { row: SONNET_4 },
  'claude-sonnet-4-5': { row: SONNET_4, dated: 'claude-sonnet-4-5-20250929' },
  'claude-haiku-5-5': { row: [100n, 125n, 200n, 10n, 500n], long: [500n, 625n, 1_000n, 50n, 2_500n] },
  'claude-haiku-4-5': { row: [1_000n, 1_250n, 2_000n, 100n, 5_000n], dated: 'claude-haiku-4-5-20251001' },
};

const BY_ID = new Map(
  Object.entries(MODELS).flatMap(([id, model]) =>
    [id, ...(model.dated ? [model.dated] : [])].map((name) => [name, model]),
  ),
);

/** The price of a model that the table lacks: high, so that a test notices. */
const UNKNOWN: Model = { row: [15_000n, 18_750n, 30_000n, 1_500n, 75_000n] };

const SEARCH = 10_000_000n;

/** Tokens of one sampling. */
interface Counts {
  input_tokens: number;
  cache_creation_input_tokens: number;
  cache_creation?: { ephemeral_5m_input_tokens: number; ephemeral_1h_input_tokens: number } | null;
  cache_read_input_tokens: number;
  output_tokens: number;
}

/** What a call used, as `usage` of an answer has it. */
export interface Usage extends Counts {
  cache_creation: { ephemeral_5m_input_tokens: number; ephemeral_1h_input_tokens: number };
  server_tool_use?: { web_search_requests?: number };
  /** Where they are listed, they are what is charged. */
  iterations?: (Counts & { type: string; model?: string | null })[];
  service_tier?: string;
  inference_geo?: string;
  speed?: string;
}

/** The ids under which the stand-in lists models, newest family first. */
export const MODEL_IDS: readonly string[] = Object.keys(MODELS);

/** What the call costs, in nano-dollars, rounded up to a whole one. */
export function charge(modelId: string, usage: Usage): bigint {
  const charged = (usage.iterations ?? [{ ...usage, type: 'message', model: null }]).filter(
    ({ type, model, output_tokens: output }) =>
      !type.endsWith('message') || type === 'advisor_message' || output > 0 || (model ?? modelId) === modelId,
  );
  const tokens = charged.reduce((sum, part) => sum + tokensOf(part.model ?? modelId, part, usage.speed), 0n);
  const regional = usage.inference_geo === 'us' ? (tokens * 11n + 9n) / 10n : tokens;
  const due = usage.service_tier === 'batch' ? (regional + 1n) / 2n : regional;
  return due + BigInt(usage.server_tool_use?.web_search_requests ?? 0) * SEARCH;
}

function tokensOf(modelId: string, counts: Counts, speed: string | undefined): bigint {
  const [input, write5m, write1h, read, output] = rowFor(BY_ID.get(modelId) ?? UNKNOWN, counts, speed);
  const writes = counts.cache_creation_input_tokens;
  const hour = counts.cache_creation?.ephemeral_1h_input_tokens ?? 0;
  return (
    BigInt(counts.input_tokens) * input +
    BigInt(writes - hour) * write5m +
    BigInt(hour) * write1h +
    BigInt(counts.cache_read_input_tokens) * read +
    BigInt(counts.output_tokens) * output
  );
}

function rowFor({ row, fast, long }: Model, counts: Counts, speed: string | undefined): Row {
  if (speed === 'fast' && fast) return fast;
  const prompt = counts.input_tokens + counts.cache_creation_input_tokens + counts.cache_read_input_tokens;
  return long && prompt > 100_000 ? long : row;
}
