import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Reply } from './replaying-upstream.ts';

const TYPES: Record<string, string> = { '.sse': 'text/event-stream', '.json': 'application/json' };

/** What must come. What is absent is not looked at. */
export interface Right {
  /** Of the last answer. */
  readonly status?: number;
  /** Dollars in the budget's status once all calls have ended. */
  readonly spent?: string;
  readonly presumed?: string;
  readonly corrected?: string;
  /** Whether the cost of the last call is an estimate. */
  readonly estimated?: boolean;
  /** Words of the last answer. */
  readonly contains?: string;
  readonly lacks?: string;
  /** Whether the upstream got the body byte for byte. */
  readonly upBodySame?: boolean;
  /** Headers that the upstream got, and names of those that it must not get. */
  readonly upHas?: Readonly<Record<string, string>>;
  readonly upAbsent?: readonly string[];
}

/** One call, or the same call several times, of a workspace with a budget of its own. */
export interface Variant {
  /** `case: variant`. */
  readonly title: string;
  readonly method: 'GET' | 'HEAD' | 'OPTIONS' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  readonly sendsKey: boolean;
  readonly repeat: number;
  readonly reply: Reply;
  /** The budget's limit in dollars. */
  readonly usd: string;
  /** Fields of the workspace's spec. */
  readonly workspace: Readonly<Record<string, unknown>>;
  /** What a person says the last call cost, in dollars, and why; then the call is made once more. */
  readonly correct: { readonly usd: string; readonly reason: string } | null;
  readonly right: Right;
}

interface VariantInJson {
  readonly name: string;
  readonly method?: Variant['method'];
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly request?: string;
  readonly noKey?: boolean;
  readonly repeat?: number;
  readonly reply?: { status?: number; headers?: Record<string, string>; file?: string; body?: string };
  readonly usd?: string;
  readonly workspace?: Record<string, unknown>;
  readonly correct?: { readonly usd: string; readonly reason: string };
  readonly right: Right;
}

/** Reads every `<case>/case.json` of a folder; what an upstream answers by default is in `replies/normal.sse`. */
export function readVariants(folder: string): Variant[] {
  const cases = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return cases.flatMap(({ name }) => {
    if (name === 'replies') return [];
    const { variants } = JSON.parse(readFileSync(join(folder, name, 'case.json'), 'utf8')) as {
      variants: VariantInJson[];
    };
    return variants.map((variant) => variantOf(variant, name, folder));
  });
}

function variantOf(variant: VariantInJson, name: string, folder: string): Variant {
  const { method = 'POST', path = '/v1/messages', headers = {}, request, repeat = 1, usd = '25.00' } = variant;
  const read = (file: string) => readFileSync(join(folder, name, file));
  return {
    title: `${name}: ${variant.name}`,
    method,
    path,
    headers,
    body: request === undefined ? null : read(request),
    sendsKey: variant.noKey !== true,
    repeat,
    reply: replyOf(variant.reply ?? { file: '../replies/normal.sse' }, read),
    usd,
    workspace: variant.workspace ?? {},
    correct: variant.correct ?? null,
    right: variant.right,
  };
}

function replyOf(reply: NonNullable<VariantInJson['reply']>, read: (file: string) => Buffer): Reply {
  const { status = 200, file, body = '' } = reply;
  const headers = reply.headers ?? { 'content-type': TYPES[extname(file ?? '.json')] ?? 'text/plain' };
  return { status, headers, body: file === undefined ? Buffer.from(body) : read(file) };
}
