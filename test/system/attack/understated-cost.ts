import { deflateSync } from 'node:zlib';
import { budget } from '../../../bench/installation.ts';
import type { SeededRandom } from '../../../bench/seeded-random.ts';
import { formatUsd, nano, parseUsd } from '../../../policy/core/money.ts';
import type { Attack, Scene } from './attack.ts';
import type { HostileTenant } from './hostile-tenant.ts';

const INTERLEAVED = { 'anthropic-beta': 'interleaved-thinking-2025-05-14' };

/** Requests that look cheap and are not. Each alone would cost more than its tenant's cap, so none of them may be sent. */
export const understatedCost: Attack = {
  name: 'understated-cost',
  threat:
    'requests that look cheaper than they are: text hidden in a PDF, thinking beyond max_tokens, a picture with two sizes',
  run: async (scene) => {
    const { random, variants } = scene;
    await attempt(scene, 'pdf', '0.05', () => ({ content: [pdf(random)] }));
    await attempt(scene, 'picture', '0.005', () => ({ content: [picture(random)] }));
    await attempt(scene, 'thinking', '0.05', () => {
      const thinking = { type: 'enabled', budget_tokens: 20_000 + random.below(100_000) };
      return { content: 'think', thinking };
    });
    await otherNames(scene, 10 * variants);
  },
};

interface Variant {
  readonly content: unknown;
  readonly thinking?: object;
}

/** Sends variants for a tenant; the harness compares what they cost with its cap. */
async function attempt(
  { tenant, variants, report }: Scene,
  name: string,
  capUsd: string,
  variant: () => Variant,
): Promise<void> {
  const caller = await tenant({ name: `understated-${name}`, capUsd });
  for (let n = 0; n < variants; n++) {
    const { content, ...more } = variant();
    const { status, text } = await send(caller, 'claude-sonnet-5-5', content, more, n);
    if (status < 400 || status >= 500) report(`${name} ${n} was answered ${status} ${text.slice(0, 200)}`);
  }
}

/** A budget for a model under one of its names, and calls under all of them. */
async function otherNames({ installation, tenant, report }: Scene, calls: number): Promise<void> {
  const name = 'understated-model';
  const listed = budget(name, 'haiku', `scope: { models: [claude-haiku-4-5-20251001] }, limit: { usd: '0.002' }`);
  const caller = await tenant({ name, capUsd: '1.00', budgets: listed });
  const statuses = new Set<number>();
  for (let n = 0; n < calls; n++) {
    const model = n % 2 === 0 ? 'claude-haiku-4-5' : 'claude-haiku-4-5-20251001';
    statuses.add((await send(caller, model, 'Hello', {}, n)).status);
  }
  const owed = nano((await installation.owed(caller.team)).nano);
  if (!statuses.has(429)) report('the budget of the model was never spent');
  if (owed > parseUsd('0.002')) report(`the model was charged $${formatUsd(owed)} of $0.002`);
}

function send(caller: HostileTenant, model: string, content: unknown, more: object, n: number) {
  const body = JSON.stringify({ model, max_tokens: 60, messages: [{ role: 'user', content }], ...more });
  return caller.send({ body, headers: INTERLEAVED }, n);
}

/** One page with a book in it, whose tree stands in the open, or is packed behind one that stands there for show. */
function pdf(random: SeededRandom): object {
  const shown = `BT (${'all work and no play '.repeat(20_000 + random.below(10_000))}) Tj ET`;
  const content = `4 0 obj <</Filter/FlateDecode>> stream\n${deflateSync(shown).toString('latin1')}endstream endobj`;
  const tree = '<</Type/Pages/Kids[3 0 R]/Count 1>> <</Type/Page/Contents 4 0 R>>';
  const hidden = `9 0 obj <</Type/ObjStm>> stream\n${deflateSync(tree).toString('latin1')}endstream endobj`;
  const parts = ['%PDF-1.7', `1 0 obj ${tree} endobj`, content, ...(random.below(2) === 0 ? [hidden] : [])];
  return base64('document', 'application/pdf', parts.join('\n'));
}

/** A PNG of a pixel, and then of millions. */
function picture(random: SeededRandom): object {
  const side = 2_000 + random.below(6_000);
  const [begin, end] = ['\x89PNG\r\n\x1a\n', `${chunk('IDAT', 'p')}${chunk('IEND', '')}`];
  return base64('image', 'image/png', `${begin}${header(1)}${header(side)}${end}`);
}

function header(side: number): string {
  return chunk('IHDR', `${big(side)}${big(side)}\x08\x02\0\0\0`);
}

function chunk(name: string, data: string): string {
  return `${big(data.length)}${name}${data}\0\0\0\0`;
}

function big(value: number): string {
  return String.fromCharCode(0, 0, value >> 8, value & 0xff);
}

function base64(type: string, mediaType: string, bytes: string): object {
  const data = Buffer.from(bytes, 'latin1').toString('base64');
  return { type, source: { type: 'base64', media_type: mediaType, data } };
}
