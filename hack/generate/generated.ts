import { readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';

/**
 * Writes generated files, by path. With `check` it writes nothing and says which of them are out of date; the process
 * then exits with status 1.
 */
export function generate(files: ReadonlyMap<string, string>, check: boolean): void {
  for (const [path, content] of files) {
    if (current(path) === content) continue;
    if (check) {
      console.error(`${relative('.', path)} is out of date: run make generate`);
      process.exitCode = 1;
    } else {
      writeFileSync(path, content);
    }
  }
}

function current(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
