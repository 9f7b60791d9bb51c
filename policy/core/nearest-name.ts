/** Finds the name that was probably meant. */

/** Longer names are not compared. */
const MAX_LENGTH = 64;

/**
 * The name that differs least from `name`, the first of several; null if more than a third of it would have to change.
 * `form`: what is compared of each name.
 */
export function nearestName(
  name: string,
  names: Iterable<string>,
  form: (name: string) => string = (own) => own,
): string | null {
  const wanted = form(name);
  if (wanted.length > MAX_LENGTH) return null;
  let nearest: string | null = null;
  let least = Infinity;
  for (const candidate of names) {
    const other = form(candidate);
    if (other.length > MAX_LENGTH) continue;
    const distance = editDistance(wanted, other);
    if (distance >= least || distance > Math.max(wanted.length, other.length) / 3) continue;
    nearest = candidate;
    least = distance;
  }
  return nearest;
}

/** How many characters must be inserted, removed or replaced (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replaced = row[j]! + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(replaced, row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
