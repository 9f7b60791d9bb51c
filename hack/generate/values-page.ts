import { isMap, isScalar, type Pair, parseDocument, type YAMLMap } from 'yaml';

/** One row: a value that can be set, or a group of them that has something to say. */
interface Row {
  /** `redis.storage.size`. */
  readonly path: string;
  /** As JSON; '' for a group. */
  readonly value: string;
  readonly meaning: string;
}

/** The values of a chart as tables in Markdown, one for each field at the top: defaults and comments of values.yaml. */
export function valuesPage(yaml: string): string {
  const top = parseDocument(yaml).contents;
  if (!isMap(top)) throw new Error('values.yaml must be a mapping');
  const pairs = commented(top);
  const alone = pairs.filter(({ pair }) => !isBlock(pair.value));
  return [
    table(alone.map(({ pair, comment }) => row(String(pair.key), pair, comment))),
    ...pairs.flatMap(({ pair: { key, value }, comment }) => (isBlock(value) ? group(String(key), value, comment) : [])),
  ].join('\n\n');
}

function group(name: string, map: YAMLMap, comment: string): string[] {
  return [`### ${name}`, ...(comment === '' ? [] : [comment]), table(rowsOf(map, name))];
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ path, value, meaning }) => `| \`${path}\` | ${value} | ${meaning.replaceAll('|', '\\|')} |`,
  );
  return ['| value | default | meaning |', '| --- | --- | --- |', ...lines].join('\n');
}

function rowsOf(map: YAMLMap, prefix: string): Row[] {
  return commented(map).flatMap(({ pair, comment }) => {
    const path = `${prefix}.${String(pair.key)}`;
    if (!isBlock(pair.value)) return [row(path, pair, comment)];
    return [...(comment === '' ? [] : [{ path, value: '', meaning: comment }]), ...rowsOf(pair.value, path)];
  });
}

function row(path: string, { value }: Pair, meaning: string): Row {
  const plain: unknown = isScalar(value) ? value.value : (value as YAMLMap).toJSON();
  return { path, value: `\`${JSON.stringify(plain)}\``, meaning };
}

/** A mapping over several lines; one in braces is a value of its own. */
function isBlock(value: unknown): value is YAMLMap {
  return isMap(value) && value.flow !== true;
}

/** The pairs with the comment above each. That above the first belongs to the mapping, says the parser. */
function commented(map: YAMLMap): { pair: Pair; comment: string }[] {
  return map.items.map((pair, i) => {
    const own = isScalar(pair.key) ? (pair.key.commentBefore ?? '') : '';
    const above = i === 0 ? (map.commentBefore ?? '') : '';
    return { pair, comment: sentence(own || above) };
  });
}

/** What stands right above; a comment with an empty line below it is the file's own. */
function sentence(comment: string): string {
  return comment
    .slice(comment.lastIndexOf('\n\n') + 1)
    .replaceAll(/\s+/g, ' ')
    .trim();
}
