import * as v from 'valibot';
import { COMMON, type CommonConfig, commonConfig } from '../config/environment.ts';
import { optionalText, readVariables, seconds, size, variables } from '../config/variables.ts';
import type { Settings } from '../policy/config/settings.ts';

/** What a gateway is told when it starts. */
export interface Config extends CommonConfig {
  /** A port of its own for health and metrics, if it was asked for. */
  readonly adminPort: number | null;
  /** Where the write-ahead log is kept; always set under `ledgerLoss: Open`. */
  readonly daybookFolder: string | undefined;
  /** How long a gateway that is asked to leave goes on serving. Milliseconds. */
  readonly lingerMs: number;
  /** How much memory the bodies of all calls under way may take. Bytes. */
  readonly bodyBytes: number;
  /** How much room the bodies of all batches under way may take on disk. Bytes. */
  readonly spoolBytes: number;
  /** Where tls.crt and tls.key lie; undefined where callers come without TLS. */
  readonly tlsFolder: string | undefined;
}

const VARIABLES = variables({
  ...COMMON,
  TOLLGATE_WRITE_AHEAD_LOG_FOLDER: optionalText,
  // Longer than a cluster takes to tell all its nodes, and its load balancers, that a Pod goes.
  TOLLGATE_SHUTDOWN_DELAY_SECONDS: v.optional(seconds, '15'),
  TOLLGATE_BODY_MEMORY: size('192Mi'),
  TOLLGATE_BATCH_STORAGE: size('1Gi'),
  TOLLGATE_TLS_FOLDER: optionalText,
});

/**
 * Reads environment and settings file, once.
 * @throws Error that names every variable that is wrong, SettingsInvalid for mistakes in the file.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const read = readVariables(VARIABLES, env);
  const common = commonConfig(read, env, 8080);
  return {
    ...common,
    adminPort: read.ADMIN_PORT ?? null,
    daybookFolder: writeAheadLogFolder(read.TOLLGATE_WRITE_AHEAD_LOG_FOLDER, common.settings),
    lingerMs: read.TOLLGATE_SHUTDOWN_DELAY_SECONDS,
    bodyBytes: read.TOLLGATE_BODY_MEMORY,
    spoolBytes: read.TOLLGATE_BATCH_STORAGE,
    tlsFolder: read.TOLLGATE_TLS_FOLDER,
  };
}

/** No default: others could write into a folder that everybody can guess, and a temporary one may not outlive a crash. */
function writeAheadLogFolder(folder: string | undefined, { ledgerLoss }: Settings): string | undefined {
  if (folder !== undefined || ledgerLoss === 'Closed') return folder;
  throw new Error(
    'TOLLGATE_WRITE_AHEAD_LOG_FOLDER is not set: write a folder, in which ledgerLoss Open keeps calls until Redis is back',
  );
}
