#!/usr/bin/env node
import manifest from '../package.json' with { type: 'json' };

/** A command of Tollgate. Its entry is loaded only when it runs. */
interface Command {
  readonly summary: string;
  /** A line to run. */
  readonly example: string;
  readonly run: () => Promise<unknown>;
}

/** The lowest major version of Node that works. */
const NODE = Number(manifest.engines.node.replace(/\D/g, ''));

const commands: Readonly<Record<string, Command>> = {
  operator: {
    summary: 'runs in the cluster: compiles resources into policy, and writes their status',
    example: 'tollgate operator',
    run: () => import('../operator/main.ts'),
  },
  gateway: {
    summary: 'runs in the cluster: admits, forwards and settles calls',
    example: 'tollgate gateway',
    run: () => import('../gateway/main.ts'),
  },
  doctor: {
    summary: 'checks an installation, and says what is wrong and what to do',
    example: 'npx tollgate doctor --context prod',
    run: () => import('../cli/doctor/main.ts'),
  },
  query: {
    summary: 'reads the usage log: what calls cost, and which were refused',
    example: 'npx tollgate query models --since 24h',
    run: () => import('../cli/query/main.ts'),
  },
};

/** The exit code of a process that SIGTERM ended, as in a shell. */
const TERMINATED = 128 + 15;
// The first process of a container ignores SIGTERM unless it has a listener: without one, a process that still starts would
// run until it is killed. A command that must finish work replaces this listener.
process.once('SIGTERM', () => process.exit(TERMINATED));

await main(process.argv[2]);

async function main(command: string | undefined): Promise<void> {
  if (Number.parseInt(process.versions.node, 10) < NODE) {
    process.stderr.write(`tollgate: this is Node ${process.versions.node}; install Node ${NODE} or later.\n`);
    process.exitCode = 2;
  } else if (command !== undefined && Object.hasOwn(commands, command)) await commands[command]?.run();
  else if (command === '--version') process.stdout.write(`${manifest.version}\n`);
  else if (command === '--help') process.stdout.write(usage());
  else {
    process.stderr.write(command === undefined ? usage() : `tollgate: unknown command "${command}".\n\n${usage()}`);
    process.exitCode = 2;
  }
}

function usage(): string {
  const rows = Object.entries(commands);
  const width = Math.max(...rows.map(([, { summary }]) => summary.length));
  const lines = rows.map(([name, { summary, example }]) => `  ${name.padEnd(9)} ${summary.padEnd(width)}   ${example}`);
  return `Usage: tollgate <command> [options]

${lines.join('\n')}

  --help     print this text; after doctor or query its options
  --version  print the version

Exit code: 0 done; 1 doctor found problems, or operator or gateway lacks what it needs to start; 2 the command or an option
is wrong, or what was asked for does not answer; ${TERMINATED} SIGTERM ended a command before it had started.
`;
}
