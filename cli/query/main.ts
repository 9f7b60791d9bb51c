import { type LogPlace, readLogPlace } from '../../config/log-place.ts';
import { UsageError } from '../../config/parse-options.ts';
import { readLog } from '../../log/database/read-log.ts';
import { HELP, readOptions } from './options.ts';
import { jsonRows, type Row, textTable } from './output.ts';

try {
  const { isHelp, sql, output } = readOptions(process.argv.slice(3)); // after `query`
  if (isHelp) process.stdout.write(HELP);
  else {
    const rows = (await readLog(logPlace(), sql)) as readonly Row[];
    process.stdout.write(output === 'json' ? jsonRows(rows) : textTable(rows));
  }
} catch (error) {
  process.stderr.write(`tollgate query: ${describe(error)}\n`);
  process.exitCode = 2;
}

function logPlace(): LogPlace {
  try {
    return readLogPlace(process.env);
  } catch (error) {
    throw new UsageError(`${(error as Error).message} (after make up: . .run/env).`);
  }
}

function describe(error: unknown): string {
  const { message } = error as Error;
  return error instanceof UsageError ? `${message}\nRun tollgate query --help for the questions and options.` : message;
}
