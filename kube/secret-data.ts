/** The `data` of a Secret: the API server has its values in base64. */

type Data = Readonly<Record<string, string>>;

/** Encodes texts for the `data` of a Secret. */
export function encodeSecretData(texts: Data): Data {
  return mapValues(texts, (text) => Buffer.from(text).toString('base64'));
}

/** Decodes the `data` of a Secret, as UTF-8. */
export function decodeSecretData(data: Data): Data {
  return mapValues(data, (value) => Buffer.from(value, 'base64').toString());
}

function mapValues(data: Data, map: (value: string) => string): Data {
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, map(value)]));
}
