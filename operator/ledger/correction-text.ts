import type { Correction } from '../../log/corrections.ts';
import { usdOrNull } from '../../policy/core/money.ts';

/** Corrections in one annotation: their rows are written in one transaction. */
const MOST = 1_000;
/** Characters of a reason. */
const MOST_REASON = 200;

/** The annotation cannot be read. `line`: the one with the mistake, or null. */
interface Mistake {
  readonly line: string | null;
  readonly problem: string;
}

/** Reads `<call id> <usd> <reason>`, or one such line for each call. */
export function readCorrections(text: string): readonly Correction[] | Mistake {
  const lines = text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
  if (lines.length === 0) return { line: null, problem: 'It is empty.' };
  if (lines.length > MOST)
    return { line: null, problem: `It has ${lines.length} lines; at most ${MOST} are taken at once.` };
  const corrections: Correction[] = [];
  for (const line of lines) {
    const [id = '', usd = '', ...words] = line.split(/\s+/);
    const costNano = usdOrNull(usd);
    const reason = words.join(' ');
    if (costNano === null) return { line, problem: `"${usd.slice(0, 30)}" is no amount in USD such as 0.25.` };
    if (reason === '') return { line, problem: 'The reason is missing.' };
    if (reason.length > MOST_REASON) return { line, problem: `The reason is longer than ${MOST_REASON} characters.` };
    if (corrections.some((one) => one.id === id)) return { line, problem: `The call ${id} is there twice.` };
    corrections.push({ id, costNano, reason });
  }
  return corrections;
}
