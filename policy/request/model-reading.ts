import type { Refusal } from '../core/refusals.ts';
import { err, ok, type Result } from '../core/result.ts';
import type { BodyReading } from '../json/body-reading.ts';
import { RequestRejected, stringAt } from '../json/json-access.ts';
import { readJsonObject } from '../json/strict-json.ts';

const NOTHING_EDITED = new Map<string, string>();

/** Reads the model of a body of which nothing else matters. Error: `BodyInvalid`. Never throws. */
export function* modelReading(body: Uint8Array): BodyReading<Result<string, Refusal>> {
  try {
    const { fields } = yield* readJsonObject(body, NOTHING_EDITED);
    return ok(stringAt(fields['model'], 'model'));
  } catch (error) {
    if (error instanceof RequestRejected) return err({ reason: error.reason, message: error.message });
    throw error;
  }
}
