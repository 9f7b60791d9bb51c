import { readFileSync } from 'node:fs';
import { COMMON, type CommonConfig, commonConfig } from '../config/environment.ts';
import { type LogPlace, readLogPlace } from '../config/log-place.ts';
import { optionalText, readVariables, variables } from '../config/variables.ts';
import type { Settings } from '../policy/config/settings.ts';

/** What an operator is told when it starts. */
export interface Config extends CommonConfig {
  /** Of the mail server; undefined where it asks for none. Never print it. */
  readonly smtpPassword: string | undefined;
  /** Where the usage log is kept. */
  readonly logPlace: LogPlace;
  /** The text of the price book that Tollgate is shipped with. */
  readonly shippedPrices: string;
}

const VARIABLES = variables({ ...COMMON, TOLLGATE_SMTP_PASSWORD: optionalText });

/**
 * Reads environment and settings file, once.
 * @throws Error that names every variable that is wrong, SettingsInvalid for mistakes in the file.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const read = readVariables(VARIABLES, env);
  const common = commonConfig(read, env, 8081);
  return Object.freeze({
    ...common,
    smtpPassword: smtpPassword(read.TOLLGATE_SMTP_PASSWORD, common.settings),
    logPlace: readLogPlace(env),
    shippedPrices: readFileSync(new URL('../policy/prices/prices.json', import.meta.url), 'utf8'),
  });
}

/** A password that is missing is found at the start, and not by a mail that is not sent. */
function smtpPassword(password: string | undefined, { smtp }: Settings): string | undefined {
  if (smtp === null || smtp.username === null) return undefined;
  if (password !== undefined) return password;
  throw new Error('TOLLGATE_SMTP_PASSWORD is not set: write the password of smtp.username in the settings');
}
