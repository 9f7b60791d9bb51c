/** A file that an administrator may put into a ConfigMap in place of the one that Tollgate ships. */
export interface OwnFileKind {
  /** The entry of the ConfigMap. */
  readonly entry: string;
  /** What is wrong with a parsed file, in one sentence; null if nothing is. */
  readonly problemOf: (value: unknown) => string | null;
  /** What stays in force, for sentences: `The last accepted prices stay in force.` */
  readonly stays: string;
}

/** The most characters of a problem, which may name every row of a file. */
const MAX_PROBLEM = 800;

/** What is wrong with the file in the data of its ConfigMap, and what stays in force; undefined if nothing is. */
export function ownFileProblem(
  { entry, problemOf, stays }: OwnFileKind,
  data: Readonly<Record<string, string>> | undefined,
): string | undefined {
  const text = data?.[entry];
  if (text === undefined) return `The ConfigMap has no entry ${entry}. ${stays}`;
  const problem = jsonProblem(text, problemOf);
  return problem === null ? undefined : `${entry} is not used: ${problem.slice(0, MAX_PROBLEM)}. ${stays}`;
}

function jsonProblem(text: string, problemOf: OwnFileKind['problemOf']): string | null {
  try {
    return problemOf(JSON.parse(text));
  } catch {
    return 'it is not JSON';
  }
}
