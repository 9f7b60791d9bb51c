/** Blocks of commands can be pasted as they are, into bash and into zsh. */

import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { pages, shellBlocksOf } from './shell-blocks.ts';

const blocks = pages.flatMap(shellBlocksOf);

/** What a shell would not take as it is meant. */
const OBSTACLES: Readonly<Record<string, RegExp>> = {
  'a prompt': /^\s*[$%] /m,
  // An interactive zsh passes it on as arguments.
  'a comment': /(?:^|\s)#/m,
  'an ellipsis for the reader to fill in': /…|\.\.\.(?!\/)/,
  'a placeholder, which redirects': /<[a-z][\w -]*>/,
};

test('there are blocks', () => expect(blocks.length).toBeGreaterThan(30));

test.each(blocks.map(({ place, script }) => [place, script]))('%s', (_place, script) => {
  const { stderr } = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' });
  expect(stderr).toBe('');
  const found = Object.entries(OBSTACLES).filter(([, pattern]) => pattern.test(script));
  expect(found.map(([name]) => name)).toEqual([]);
});
