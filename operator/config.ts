import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { type Environment, type LogPlace, parseEnvironment, parseLogPlace } from '../config/environment.ts';
import { parseSettings, type Settings } from '../policy/config/settings.ts';

/** What an operator is told when it starts. */
export interface Config extends Omit<Environment, 'adminPort'> {
  readonly settings: Settings;
  /** The certificates that Redis is trusted by, in PEM. */
  readonly redisCa: string | undefined;
  /** Of the mail server; undefined where it asks for none. Never print it. */
  readonly smtpPassword: string | undefined;
  /** Where the usage log is kept. */
  readonly logPlace: LogPlace;
  /** The text of the price book that Tollgate is shipped with. */
  readonly shippedPrices: string;
}

/**
 * Reads environment and settings file, once.
 * @throws Error that names every variable that is wrong, SettingsInvalid for mistakes in the file.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const environment = parseEnvironment(env, '8081');
  const settings = readSettings(environment.settingsFile);
  return Object.freeze({
    ...environment,
    settings,
    smtpPassword: readSmtpPassword(env['TOLLGATE_SMTP_PASSWORD'], settings),
    redisCa: readCa(environment.redisCaFile),
    logPlace: parseLogPlace(env),
    shippedPrices: readFileSync(new URL('../policy/prices/prices.json', import.meta.url), 'utf8'),
  });
}

/** Without a file all settings have their defaults. Throws `SettingsInvalid`, or an Error where the file is no YAML. */
function readSettings(path: string | undefined): Settings {
  if (path === undefined) return parseSettings(null);
  return parseSettings(parse(readFileSync(path, 'utf8'), { strict: true, uniqueKeys: true }));
}

/** Better to learn at the start that there is none than from a mail that is not sent. */
function readSmtpPassword(password: string | undefined, { smtp }: Settings): string | undefined {
  if (smtp === null || smtp.username === null) return undefined;
  if (password) return password;
  throw new Error('Set TOLLGATE_SMTP_PASSWORD: the setting smtp names a username.');
}

function readCa(path: string | undefined): string | undefined {
  return path === undefined ? undefined : readFileSync(path, 'utf8');
}
