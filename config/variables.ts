import * as v from 'valibot';
import { readBySchema } from '../policy/schema/read-by-schema.ts';
import { fieldsOf, textLike } from '../policy/schema/schema-parts.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** These may hold a password: no error shows their values. */
const SECRET = [
  'REDIS_URL',
  'REDIS_PASSWORD',
  'TOLLGATE_DATABASE_URL',
  'TOLLGATE_SMTP_PASSWORD',
  'TOLLGATE_METRICS_TOKEN',
];

/** Reads the variables of a schema. Throws an Error that names every wrong one and says what to write. */
export function readVariables<S extends v.GenericSchema>(schema: S, env: Environment): v.InferOutput<S> {
  const read = readBySchema(schema, env, { root: 'the environment', secret: SECRET });
  if (read.ok) return read.value;
  throw new Error(read.error.join('; '));
}

/** The schema of some variables. */
export const variables = fieldsOf;

/** A variable that may be absent. An empty one counts as absent. */
export const optionalText = v.pipe(
  v.optional(v.string()),
  v.transform((text) => text || undefined),
);

const PORT = 'a port from 0 (any free one) to 65535';

export const port = v.pipe(textLike(/^\d+$/, PORT), v.transform(Number), v.maxValue(65_535, PORT));

/** Seconds, which are read as milliseconds. */
export const seconds = v.pipe(
  textLike(/^\d{1,4}$/, 'a whole number of seconds from 0 to 9999'),
  v.transform((text) => Number(text) * 1000),
);

const UNITS: Readonly<Record<string, number>> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

/** A size as Kubernetes writes it, which is read as bytes. An empty one counts as absent. */
export function size(byDefault: string) {
  return v.pipe(
    v.optional(textLike(/^(\d{1,12}(Ki|Mi|Gi|Ti)?)?$/, 'a size such as 192Mi or 1Gi'), byDefault),
    v.transform((text) => text || byDefault),
    v.transform((text) => Number.parseInt(text, 10) * (UNITS[text.slice(-2)] ?? 1)),
  );
}
