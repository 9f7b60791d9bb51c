/** How long a test file took. */
export interface FileTime {
  /** From the repository's root. */
  file: string;
  seconds: number;
}

const SLOWEST = 20;

/** The slowest test files, and the sum of each folder of tests. */
export function timeTable(times: readonly FileTime[]): string {
  const folders = new Map<string, number>();
  for (const { file, seconds } of times) {
    const folder = file.split('/').slice(0, 3).join('/');
    folders.set(folder, (folders.get(folder) ?? 0) + seconds);
  }
  const sums = [...folders].map(([file, seconds]): FileTime => ({ file, seconds }));
  return [
    `The ${Math.min(SLOWEST, times.length)} slowest test files, in seconds:`,
    ...lines(times).slice(0, SLOWEST),
    'Folders, in seconds (several files run at once):',
    ...lines(sums),
  ].join('\n');
}

function lines(times: readonly FileTime[]): string[] {
  return times
    .toSorted((a, b) => b.seconds - a.seconds)
    .map(({ file, seconds }) => `${seconds.toFixed(1).padStart(8)}  ${file}`);
}
