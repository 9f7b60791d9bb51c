#!/usr/bin/env node
import manifest from '../package.json' with { type: 'json' };

/** A command of Tollgate: what it is for, and how it runs. It is loaded only when it is asked for. */
interface Command {
  readonly summary: string;
  readonly run: () => Promise<unknown>;
}

/** The first release line of Node that has all that is used. */
const NODE = Number(manifest.engines.node.replace(/\D/g, ''));

/** The one table of commands. */
const commands: Readonly<Record<string, Command>> = {
  operator: {
    summary: 'turns resources into policy and keeps their status; runs in the cluster',
    run: () => import('../operator/main.ts'),
  },
  gateway: {
    summary: 'admits, forwards and books the calls; runs in the cluster',
    run: () => import('../gateway/main.ts'),
  },
  doctor: {
    summary: 'looks at an installation and says what is wrong with it; runs anywhere',
    run: () => import('../cli/main.ts'),
  },
};

/** What a shell says of a process that SIGTERM ended. */
const TERMINATED = 128 + 15;
// A container's first process is not ended by a signal that nobody listens for: whoever is asked to leave while it still
// starts would stay until it is killed. A command that has something to finish listens in place of this.
process.once('SIGTERM', () => process.exit(TERMINATED));

await main(process.argv[2]);

async function main(word: string | undefined): Promise<void> {
  if (Number.parseInt(process.versions.node, 10) < NODE) {
    process.stderr.write(
      `tollgate: needs Node ${NODE} or later, and this is ${process.versions.node}: install it first.\n`,
    );
    process.exitCode = 2;
  } else if (word !== undefined && Object.hasOwn(commands, word)) await commands[word]?.run();
  else if (word === '--version') process.stdout.write(`${manifest.version}\n`);
  else if (word === '--help') process.stdout.write(usage());
  else {
    process.stderr.write(word === undefined ? usage() : `tollgate: there is no command "${word}".\n\n${usage()}`);
    process.exitCode = 2;
  }
}

function usage(): string {
  const rows = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`);
  return `Usage: tollgate <command>\n\n${rows.join('\n')}\n\n  --help     this page\n  --version  ${manifest.version}\n`;
}
