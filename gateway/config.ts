import * as v from 'valibot';
import { ENTRY_VARIABLES, type EntryConfig, entryConfig } from '../config/entry-config.ts';
import { optionalText, readVariables, seconds, size, variables } from '../config/variables.ts';
import type { Settings } from '../policy/config/settings.ts';

/** The configuration of a gateway, read once when it starts. */
export interface Config extends EntryConfig {
  /** A separate port for health and metrics; null for none. */
  readonly adminPort: number | null;
  /** Where the write-ahead log is kept; always set under `ledgerLoss: Open`. */
  readonly writeAheadLogFolder: string | undefined;
  /** How long the gateway still accepts calls after SIGTERM. Milliseconds. */
  readonly shutdownDelayMs: number;
  /** How much memory the bodies of all calls under way may take. Bytes. */
  readonly bodyMemoryBytes: number;
  /** How much disk the bodies of all batches under way may take. Bytes. */
  readonly bodyFileBytes: number;
  /** The folder of tls.crt and tls.key; undefined if callers come without TLS. */
  readonly tlsFolder: string | undefined;
}

const VARIABLES = variables({
  ...ENTRY_VARIABLES,
  TOLLGATE_WRITE_AHEAD_LOG_FOLDER: optionalText,
  // Must be longer than a cluster takes to remove a Pod from all its nodes and load balancers.
  TOLLGATE_SHUTDOWN_DELAY_SECONDS: v.optional(seconds, '15'),
  TOLLGATE_BODY_MEMORY: size('192Mi'),
  TOLLGATE_BATCH_STORAGE: size('1Gi'),
  TOLLGATE_TLS_FOLDER: optionalText,
});

/** @throws Error that names every wrong variable, SettingsInvalid for mistakes in the settings file. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const read = readVariables(VARIABLES, env);
  const shared = entryConfig(read, env, 8080);
  return {
    ...shared,
    adminPort: read.ADMIN_PORT ?? null,
    writeAheadLogFolder: requiredFolder(read.TOLLGATE_WRITE_AHEAD_LOG_FOLDER, shared.settings),
    shutdownDelayMs: read.TOLLGATE_SHUTDOWN_DELAY_SECONDS,
    bodyMemoryBytes: read.TOLLGATE_BODY_MEMORY,
    bodyFileBytes: read.TOLLGATE_BATCH_STORAGE,
    tlsFolder: read.TOLLGATE_TLS_FOLDER,
  };
}

/** There is no default: others could write to a folder that they can guess, and a temporary one may not survive a crash. */
function requiredFolder(folder: string | undefined, { ledgerLoss }: Settings): string | undefined {
  if (folder !== undefined || ledgerLoss === 'Closed') return folder;
  throw new Error(
    'TOLLGATE_WRITE_AHEAD_LOG_FOLDER is not set: write a folder, in which ledgerLoss Open keeps calls until Redis is back',
  );
}
