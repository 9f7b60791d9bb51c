import { parse } from 'yaml';
import { parseSettings, type Settings } from '../policy/config/settings.ts';

/** Reads a settings file's text; undefined: the defaults. Throws SettingsInvalid, or an Error if it is not YAML. */
export function settingsOf(text: string | undefined): Settings {
  return parseSettings(text === undefined ? null : parse(text, { strict: true, uniqueKeys: true }));
}
