import { err, ok, type Result } from '../core/result.ts';
import type { BodyReading } from '../json/body-reading.ts';
import { RequestRejected, stringAt } from '../json/json-access.ts';
import { readJsonObject } from '../json/strict-json.ts';
import type { Refusal } from '../refusals/refusals.ts';
import { namedFiles } from './named-files.ts';

const NOTHING_EDITED = new Map<string, string>();

/** What matters of a body whose tokens are counted. */
export interface CountFacts {
  readonly model: string;
  /** As in `RequestFacts`. */
  readonly files: readonly string[];
}

/** Reads a body whose tokens are counted. Error: `BodyInvalid`. Never throws. */
export function* countReading(body: Uint8Array): BodyReading<Result<CountFacts, Refusal>> {
  try {
    const { fields, memory } = yield* readJsonObject(body, NOTHING_EDITED);
    return ok({ model: stringAt(fields['model'], 'model'), files: yield* namedFiles(fields, memory) });
  } catch (error) {
    if (error instanceof RequestRejected) return err({ reason: error.reason, message: error.message });
    throw error;
  }
}
