import type { BodyReading } from '../json/body-reading.ts';
import { invalid, isText, type JsonFields } from '../json/json-access.ts';

/** As many as the API takes images in one request. */
const MAX_FILES = 600;
/** An id becomes part of commands to the ledger. */
export const FILE_ID: RegExp = /^[\w-]{1,128}$/;

/** `file_id`, and how what is not known might spell it. */
const NAMES_FILES = /^file_?ids?$/i;

/** What code made earlier: an answer that the caller sends back, of which the model reads the id and not the file. */
const OUTPUTS: ReadonlySet<unknown> = new Set(['code_execution_output', 'bash_code_execution_output']);
/** Whose `input` is what the model wrote for a tool. */
const TOOL_USES: ReadonlySet<unknown> = new Set(['tool_use', 'server_tool_use', 'mcp_tool_use']);
/** What describes data and holds none. */
const SCHEMAS = new Set(['input_schema', 'input_examples', 'schema']);

/** So many values are looked at in one step. */
const TURN = 5_000;

/**
 * The ids of the files in the upstream's store that a request names, wherever they stand: what Tollgate does not know may
 * name files too. `memory`: as in `BodyReading`. Throws `RequestRejected`.
 */
export function* namedFiles(request: JsonFields, memory: number): BodyReading<readonly string[]> {
  const files = new Set<string>();
  const left: unknown[] = [request];
  for (let looked = 1; left.length > 0; looked++) {
    look(left.pop(), left, files);
    if (looked % TURN === 0) yield memory;
  }
  return [...files];
}

/** Adds the files that a value names to `files`, and what is to be looked at of it to `left`. */
function look(value: unknown, left: unknown[], files: Set<string>): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const one of value) if (typeof one === 'object') left.push(one);
    return;
  }
  const fields = value as JsonFields;
  const type = fields['type'];
  for (const name of Object.keys(fields)) {
    if (SCHEMAS.has(name) || (name === 'input' && TOOL_USES.has(type))) continue;
    if (!NAMES_FILES.test(name)) left.push(fields[name]);
    else if (!OUTPUTS.has(type)) addAll(fields[name], left, files);
  }
}

function addAll(ids: unknown, left: unknown[], files: Set<string>): void {
  for (const id of Array.isArray(ids) ? ids : [ids]) {
    if (isText(id)) add(id.toString(), files);
    else left.push(id);
  }
}

function add(id: string, files: Set<string>): void {
  if (!FILE_ID.test(id)) throw invalid('file_id must have 1 to 128 letters, digits, dashes or underscores.');
  files.add(id);
  if (files.size > MAX_FILES) throw invalid(`file_id: a request may name at most ${MAX_FILES} files.`);
}
