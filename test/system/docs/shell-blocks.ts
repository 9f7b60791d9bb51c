import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../..');

/** A fenced block that says `sh`: a reader pastes it as it is. */
export interface ShellBlock {
  /** Where it begins, as `page:line`. */
  readonly place: string;
  readonly script: string;
}

/** All pages of the repository. */
export const pages: readonly string[] = globSync('{*.md,docs/**/*.md,charts/**/*.md,examples/**/*.md}', { cwd: root });

export function shellBlocksOf(page: string): readonly ShellBlock[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^( *)```(?:sh|bash)\n([^]*?)^ *```/gm)].map(
    ({ index, 1: indent = '', 2: script = '' }) => ({
      place: `${page}:${text.slice(0, index).split('\n').length}`,
      script: script.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  );
}
