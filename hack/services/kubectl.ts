import { join } from 'node:path';
import { assetFolder } from '../assets/asset-folder.ts';
import { runCommand } from './run-command.ts';

/**
 * Runs kubectl and returns what it printed.
 * @throws Error with the command and its error output where it fails.
 */
export function kubectl(kubeconfig: string, args: string[], input = ''): Promise<string> {
  const name = `kubectl ${args.join(' ')}`;
  const program = join(assetFolder('api_server'), 'kubectl');
  return runCommand(program, ['--kubeconfig', kubeconfig, ...args], { input, name });
}
