import { readFileSync } from 'node:fs';
import { ENTRY_VARIABLES, entryConfig } from '../config/entry-config.ts';
import { readLogPlace } from '../config/log-place.ts';
import { optionalText, readVariables, variables } from '../config/variables.ts';
import type { Settings } from '../policy/config/settings.ts';

const VARIABLES = variables({ ...ENTRY_VARIABLES, TOLLGATE_SMTP_PASSWORD: optionalText });

export type Config = ReturnType<typeof readConfig>;

/** Reads environment and settings file once. Throws an Error that names every wrong variable, or SettingsInvalid. */
export function readConfig(env: NodeJS.ProcessEnv) {
  const read = readVariables(VARIABLES, env);
  const shared = entryConfig(read, env, 8081);
  return Object.freeze({
    ...shared,
    /** The password of the mail server; undefined if it needs none. Never print it. */
    smtpPassword: smtpPassword(read.TOLLGATE_SMTP_PASSWORD, shared.settings),
    logPlace: readLogPlace(env),
    /** The text of the price book in this version of Tollgate. */
    shippedPrices: readFileSync(new URL('../policy/prices/prices.json', import.meta.url), 'utf8'),
  });
}

/** Fails at start if the password is missing, rather than at the first mail. */
function smtpPassword(password: string | undefined, { smtp }: Settings): string | undefined {
  if (smtp === null || smtp.username === null) return undefined;
  if (password !== undefined) return password;
  throw new Error('TOLLGATE_SMTP_PASSWORD is not set: write the password of smtp.username in the settings');
}
