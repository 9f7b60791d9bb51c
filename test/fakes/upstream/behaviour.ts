/**
 * How the stand-in answers. A call asks for it in the header `x-stainless-stand-in`, or, where headers do not get through, in
 * `metadata.user_id` after the prefix `stand-in:`; `POST /behaviour` sets it for all calls that ask for nothing. Always
 * the same JSON object; a field that is absent leaves the default. Times in milliseconds.
 */
export interface Behaviour {
  /** Laid over the usage that the stand-in made up. Sane counts are billed too; absurd ones are only reported. Null: none is reported. */
  usage?: Readonly<Record<string, unknown>> | null;
  /** The model that serves the call; default: the one asked for. */
  model?: string;
  /** Before the first byte. */
  latencyMs?: number;
  /** Into how many deltas a stream's text is cut; default 4. */
  chunks?: number;
  /** Between two events of a stream; default 0: all in one write. */
  paceMs?: number;
  /** Stay open after this many deltas until `POST /release`. */
  holdAfter?: number;
  /** Answer with this status and an error body. */
  status?: number;
  /** Error type and message; they go with `status` and with `breakAt: 'Event'`. */
  error?: { type?: string; message?: string };
  /** `retry-after` in seconds, on an error. */
  retryAfter?: number;
  /** Something in front of the API answers instead, after `latencyMs`. */
  edge?: Edge;
  /**
   * Break off: reset the connection before the head of the answer, after it, in the middle of the body, or between the
   * last usage and the end of a stream; send an `error` event before anything of a stream, after its message_start, or in
   * its middle; or end the body in the middle as if it were whole.
   */
  breakAt?: 'Head' | 'Start' | 'Middle' | 'AfterUsage' | 'EventOnly' | 'EventFirst' | 'Event' | 'Cut';
  /** Answer with this text. */
  text?: string;
  /** Answer with a call of this tool, until there is a result of it. */
  tool?: { name: string; input: unknown };
  /** Keep the bill of this call by this name, for `GET /bills`. */
  mark?: string;
  /** Compress the answer. */
  encoding?: 'gzip' | 'deflate' | 'br' | 'zstd';
  /** Refuse: before any content, which costs nothing whatever usage is shown, or in the middle of it. */
  refuse?: 'Before' | 'Middle';
  /** How long a batch is worked on; null: until `POST /release`. Default: it has ended when it is created. */
  batchMs?: number | null;
  /** What becomes of a request of a batch; default: it succeeds, unless the batch is canceled before it was begun. */
  outcome?: 'errored' | 'canceled' | 'expired';
  /** What a call that broke off costs: what had been sent of it (default), or all of it. */
  abortBilling?: 'Sent' | 'Full';
}

/** The answer of a proxy: HTML, unless it says otherwise. */
export interface Edge {
  status: number;
  type?: string;
  body?: string;
  /** The API runs the call all the same, and bills all of it. */
  runs?: boolean;
}

const PREFIX = 'stand-in:';

/** What this call asks for. @throws SyntaxError where it is not JSON. */
export function behaviourOf(preset: Behaviour, header: unknown, metadata: unknown): Behaviour {
  if (typeof header === 'string') return { ...preset, ...(JSON.parse(header) as Behaviour) };
  const userId = (metadata as { user_id?: unknown } | undefined)?.user_id;
  if (typeof userId === 'string' && userId.startsWith(PREFIX)) {
    return { ...preset, ...(JSON.parse(userId.slice(PREFIX.length)) as Behaviour) };
  }
  return preset;
}
