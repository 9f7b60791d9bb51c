/** Bodies that a caller may send to stall or fatten a gateway, and honest ones of the same size. */

const MB = 1024 * 1024;

export interface HeavyBody {
  readonly name: string;
  /** Whether it is a request that must be served. */
  readonly isServed: boolean;
  /** Makes it, at most so long; a short one has the same shape. */
  readonly make: (bytes: number) => Buffer;
}

/** The longest body of the Messages API, with room for what is around the heavy part. */
export const FULL_BYTES: number = 32 * MB - 1024;

const request = (fields: string): Buffer => Buffer.from(`{"model":"claude-sonnet-5-5","max_tokens":10,${fields}}`);
const asking = (content: string): Buffer => request(`"messages":[{"role":"user","content":${content}}]`);
/** A part that no price depends on. */
const aside = (json: string): Buffer =>
  request(`"messages":[{"role":"user","content":"x"}],"metadata":{"user_id":"u","x":${json}}`);

/** As many of a text as fit into so many bytes, at least one. */
function times(text: string, bytes: number): string {
  return text.repeat(Math.max(1, Math.floor(bytes / Buffer.byteLength(text))));
}

function keys(bytes: number, key: (index: number) => string): string {
  const fields: string[] = [];
  for (let size = 0; size < bytes; size += fields.at(-1)!.length + 1) fields.push(`"${key(fields.length)}":0`);
  return `{${fields.join()}}`;
}

function pictures(bytes: number): string {
  const data = times('iVBORw0KGgoAAAAN', Math.min(bytes / 20, 1.5 * MB) - 100);
  const picture = { type: 'image', source: { type: 'base64', media_type: 'image/png', data } };
  return JSON.stringify(Array.from({ length: 20 }, () => picture));
}

function turns(bytes: number): Buffer {
  const tools = [{ name: 'Read', input_schema: { type: 'object', properties: { path: { type: 'string' } } } }];
  const lines = times('a line of a file\n', bytes / 280 - 300);
  const turn = (i: number): object[] => [
    {
      role: 'assistant',
      content: [{ type: 'tool_use', id: `toolu_${i}`, name: 'Read', input: { path: `/src/${i}` } }],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: `toolu_${i}`, content: lines }] },
  ];
  const messages = Array.from({ length: 250 }, (_, i) => turn(i)).flat();
  return request(`"tools":${JSON.stringify(tools)},"messages":${JSON.stringify(messages)}`);
}

function hostile(name: string, make: HeavyBody['make']): HeavyBody {
  return { name, isServed: false, make };
}

function honest(name: string, make: HeavyBody['make']): HeavyBody {
  return { name, isServed: true, make };
}

export const HEAVY_BODIES: readonly HeavyBody[] = [
  hostile('empty lists', (bytes) => aside(`[${times('[],', Math.min(bytes, 24 * MB))}[]]`)),
  hostile('objects of a key', (bytes) => aside(`[${times('{"a":0},', bytes)}0]`)),
  hostile('distinct keys', (bytes) => aside(keys(Math.min(bytes, 4 * MB), (i) => `key${i}`))),
  hostile('keys that are numbers', (bytes) => aside(keys(Math.min(bytes, 4 * MB), (i) => `${i * 7919}`))),
  hostile('long keys', (bytes) => aside(keys(bytes, (i) => `${'k'.repeat(200)}${i}`))),
  hostile('fallbacks', (bytes) =>
    request(`"messages":[],"fallbacks":[${times('{"model":"a"},', Math.min(bytes, 4 * MB))}{}]`),
  ),
  hostile('tools', (bytes) => request(`"messages":[],"tools":[${times('{"type":"mcp_toolset"},', bytes)}{}]`)),
  hostile('messages', (bytes) => request(`"messages":[${times('{"role":"user","content":"a"},', bytes)}{}]`)),
  hostile('blocks', (bytes) => asking(`[${times('{"type":"text","text":"a"},', bytes)}{}]`)),
  hostile('short strings', (bytes) => aside(`[${times(`"${'s'.repeat(60)}",`, bytes)}0]`)),
  hostile('digits', (bytes) => aside(times('1', bytes))),
  hostile('spaces', (bytes) => Buffer.from(`${times(' ', bytes)}{}`)),
  hostile('nesting', (bytes) => aside(times('[', bytes))),
  hostile('a string without an end', (bytes) => aside(`"${times('\\\\', bytes)}`)),
  hostile('a model of megabytes', (bytes) =>
    Buffer.from(`{"model":"${times('m', bytes)}","max_tokens":1,"messages":[]}`),
  ),
  honest('one long text', (bytes) => asking(`"${times('A line of text. ', bytes)}"`)),
  honest('a text of escapes', (bytes) => asking(`"${times('\\n\\u00e9', bytes)}"`)),
  honest('a text of backslash pairs', (bytes) => asking(`"${times('\\\\', bytes)}"`)),
  honest('a text of 4-byte characters', (bytes) => asking(`"${times('😀', bytes)}"`)),
  honest('20 pictures', (bytes) => asking(pictures(bytes))),
  honest('500 turns with tools', turns),
];
