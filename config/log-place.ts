import * as v from 'valibot';
import { postgresUrl } from './postgres-url.ts';
import { type Environment, optionalText, readVariables, variables } from './variables.ts';

/** Where the usage log is stored: a Postgres, whose URL contains the password (never print it), or a folder of the operator. */
export type LogPlace = { readonly url: string } | { readonly folder: string };

const LOG_PLACE = v.pipe(
  variables({ TOLLGATE_DATABASE_URL: v.optional(postgresUrl), TOLLGATE_USAGE_LOG_FOLDER: optionalText }),
  v.check(
    (read) => Boolean(read.TOLLGATE_DATABASE_URL) !== Boolean(read.TOLLGATE_USAGE_LOG_FOLDER),
    'must name one place for the usage log: write either TOLLGATE_DATABASE_URL or TOLLGATE_USAGE_LOG_FOLDER',
  ),
);

/** Reads where the operator stores the usage log. Throws an Error that says what to write and holds no part of a URL. */
export function readLogPlace(env: Environment): LogPlace {
  const { TOLLGATE_DATABASE_URL: url, TOLLGATE_USAGE_LOG_FOLDER: folder } = readVariables(LOG_PLACE, env);
  return folder === undefined ? { url: url! } : { folder };
}
