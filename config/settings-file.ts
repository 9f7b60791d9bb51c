import { parse } from 'yaml';
import { parseSettings, type Settings } from '../policy/config/settings.ts';

/**
 * Reads the text of a settings file; undefined stands for the defaults.
 * @throws SettingsInvalid for mistakes in it, Error if it is not YAML.
 */
export function settingsOf(text: string | undefined): Settings {
  return parseSettings(text === undefined ? null : parse(text, { strict: true, uniqueKeys: true }));
}
