import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { assetFolder } from '../assets/asset-folder.ts';
import { runCommand } from '../services/run-command.ts';

/** The cluster that e2e tests run on: the local node, or the one that E2E_CONTEXT names. */

const repository = join(import.meta.dirname, '../..');
const state = resolve(process.env['TOLLGATE_CLUSTER'] ?? join(repository, '.run', 'cluster'));
const context = process.env['E2E_CONTEXT'];

/** After which a command is killed. Milliseconds. */
const TIMEOUT_MS = 600_000;

/** What a command gets. */
interface StartOptions {
  /** Its standard input. */
  input?: string;
}

/** Where Pods of the cluster find an image of this tree, e.g. `tollgate`: its repository, without a tag. */
export function repositoryOf(image: string): string {
  return `${process.env['E2E_IMAGES'] ?? 'registry.local'}/${image}`;
}

/**
 * Runs kubectl and returns what it printed.
 * @throws Error with the command and what it said where it fails.
 */
export function kubectl(args: string[], options: StartOptions = {}): Promise<string> {
  if (context === undefined) return inside('kubectl', args, options);
  return start('kubectl', [`--context=${context}`, ...args], options);
}

/** Runs helm, as {@link kubectl}. */
export function helm(args: string[], options: StartOptions = {}): Promise<string> {
  if (context === undefined) return inside('helm', args, options);
  return start('helm', [`--kube-context=${context}`, ...args], options);
}

/**
 * Runs a command on the local node: it reaches Pods and Services by their addresses, sees the files of this machine
 * outside of /run, and dies with the node.
 * @throws Error as {@link kubectl}, and where the tests run on a cluster that is not the local one.
 */
export function inside(command: string, args: string[], options: StartOptions = {}): Promise<string> {
  if (context !== undefined) throw new Error(`${command} needs the local node, and E2E_CONTEXT names another cluster`);
  return start('nsenter', [...namespaces(), command, ...args], options);
}

/** The arguments of nsenter for the local node, with the present folder; the command follows. */
function namespaces(): string[] {
  const pid = readFileSync(join(state, 'node.pid'), 'utf8').trim();
  return ['-t', pid, '-n', '-m', '-p', '--', 'env', '-C', process.cwd()];
}

let environment: NodeJS.ProcessEnv | undefined;

function surroundings(): NodeJS.ProcessEnv {
  if (environment !== undefined) return environment;
  const programs = assetFolder(context === undefined ? 'node' : 'helm');
  const helmHome = join(repository, '.run', 'helm');
  environment = {
    ...process.env,
    PATH: `${programs}:${process.env['PATH']}`,
    NODE_OPTIONS: '',
    HELM_CACHE_HOME: helmHome,
    HELM_CONFIG_HOME: helmHome,
    HELM_DATA_HOME: helmHome,
    ...(context === undefined ? { KUBECONFIG: join(state, 'admin.kubeconfig') } : {}),
  };
  return environment;
}

function start(command: string, args: string[], options: StartOptions): Promise<string> {
  return runCommand(command, args, { ...options, env: surroundings(), timeoutMs: TIMEOUT_MS });
}
