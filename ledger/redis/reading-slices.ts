import { MAX_TOP, type ReadingQuery } from '../../policy/core/counter-reading.ts';

/** How many counters one script reads at most: about 3 ms in which Redis does nothing else. */
const SLICE = MAX_TOP + 1;

/** A query, or a part of its values. */
export interface PartialQuery extends ReadingQuery {
  /** The index of the whole query. */
  readonly query: number;
}

/**
 * Divides queries among scripts, in order, so that none keeps Redis busy for long.
 * @throws RangeError for a query of more than `MAX_TOP` values.
 */
export function slicesOf(queries: readonly ReadingQuery[]): PartialQuery[][] {
  const slices: PartialQuery[][] = [];
  let room = 0;
  for (const part of queries.flatMap(partsOf)) {
    const counters = 1 + part.top + part.also.length;
    if (counters > room) {
      slices.push([]);
      room = SLICE;
    }
    slices.at(-1)!.push(part);
    room -= counters;
  }
  return slices;
}

function partsOf(whole: ReadingQuery, query: number): PartialQuery[] {
  const { per, top, also } = whole;
  if (!per) return [{ ...whole, top: 0, also: [], query }];
  if (top > MAX_TOP) throw new RangeError(`${top} values are more than one script reads (${MAX_TOP})`);
  const first = SLICE - 1 - top;
  const parts: PartialQuery[] = [{ ...whole, also: also.slice(0, first), query }];
  for (let at = first; at < also.length; at += MAX_TOP) {
    parts.push({ ...whole, top: 0, also: also.slice(at, at + MAX_TOP), query });
  }
  return parts;
}
