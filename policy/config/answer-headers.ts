import * as v from 'valibot';
import { textLike } from '../schema/schema-parts.ts';

/**
 * Headers that no setting passes on: those of the upstream's connection or body, which the gateway writes itself,
 * credentials, and whatever would lead a caller past the gateway or speak in its name.
 */
const WITHHELD =
  /^(?:alt-svc|authorization|connection|content-.*|keep-alive|location|proxy-.*|set-cookie|strict-transport-security|te|trailer|transfer-encoding|upgrade|vary|www-authenticate|x-api-key|access-control-.*|x-tollgate-.*)$/;

/** Whether a header of an upstream's answer, in lower case, stays in the gateway whatever the settings say. */
export function isWithheld(name: string): boolean {
  return WITHHELD.test(name);
}

/** The setting `answerHeaders`: the upstream's headers that callers get beside those that clients need. */
export const ANSWER_HEADERS = v.pipe(
  v.array(
    v.pipe(
      textLike(
        /^[a-z][a-z0-9-]{2,62}\*?$/,
        'the name of a header in lower case, or its beginning and *, such as "anthropic-ratelimit-*"',
      ),
      v.check(
        (name) => !isWithheld(name),
        'may not be passed on: leave out headers of the connection, of the body and of Tollgate, and credentials',
      ),
    ),
    'a list of names of headers',
  ),
  v.maxLength(32, 'at most 32 names of headers'),
  v.transform((names): readonly string[] => Object.freeze(names)),
);
