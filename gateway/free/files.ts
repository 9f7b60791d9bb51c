import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Dispatcher } from 'undici';
import { planFiles } from '../../policy/admit/plan.ts';
import type { ResolvedWorkspace } from '../../policy/admit/resolved-workspace.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import { err, ok, type Result } from '../../policy/core/result.ts';
import { noSuchFile } from '../../policy/refusals/refusal-sentences.ts';
import { type Refusal, refusalFor } from '../../policy/refusals/refusals.ts';
import { FILE_ID } from '../../policy/request/named-files.ts';
import type { StoredFiles } from '../admission/stored-files.ts';
import type { AuthenticatedCall } from '../http/call.ts';
import { textHeadersDown } from '../http/headers-down.ts';
import type { RawHeaders } from '../http/headers.ts';
import type { CallerGone } from '../http/read-body.ts';
import type { Route } from '../http/route.ts';
import { MAX_ANSWER_BYTES, MAX_PAGE_BYTES, type Page, pageIn, readAnswer } from '../upstream/read-answer.ts';
import type { UpstreamKeys } from '../upstream/upstream-keys.ts';
import type { Upstreams } from '../upstream/upstreams.ts';

interface Parts {
  readonly upstreams: Upstreams;
  readonly upstreamKeys: UpstreamKeys;
  readonly storedFiles: StoredFiles;
}

const PATH = '/v1/files';
/** As many ids as the upstream takes in one query, and how many are listed where nothing is said. */
const PAGE = 100;
const DEFAULT_LIMIT = 20;
/** The limit of the Files API. Bytes. */
const MAX_FILE_BYTES = 500 * 1024 * 1024;

/** The Files API, which costs nothing: a workspace sees the files that it uploaded, of all that its upstream key can see. */
export class Files {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** `POST /v1/files`: the body goes up as it comes. Resolves to null once it has answered. */
  upload(call: AuthenticatedCall): Promise<Refusal | CallerGone | null> {
    return this.#serve(call, () => this.#upload(call));
  }

  /** `GET /v1/files`. Resolves to null once it has answered. */
  list(call: AuthenticatedCall): Promise<Refusal | CallerGone | null> {
    return this.#serve(call, () => this.#list(call));
  }

  /** `GET` and `DELETE` of one file, and `GET …/content`. Resolves to null once it has answered. */
  one(call: AuthenticatedCall): Promise<Refusal | CallerGone | null> {
    return this.#serve(call, () => this.#one(call));
  }

  async #serve(
    { req, caller }: AuthenticatedCall,
    serve: () => Promise<Refusal | CallerGone | null>,
  ): Promise<Refusal | CallerGone | null> {
    try {
      return planFiles(caller) ?? (await serve());
    } finally {
      req.resume(); // a caller that still sends gets the refusal
    }
  }

  async #upload(call: AuthenticatedCall): Promise<Refusal | CallerGone | null> {
    const { req, caller } = call;
    const refusal = refuseUnread(req.headers) ?? (await this.#parts.storedFiles.refuseMore(caller.workspace));
    if (refusal !== null) return refusal;
    let isTooLarge = false;
    const body = bounded(req, () => (isTooLarge = true));
    const headers = typeAndLength(req.headers);
    const answer = await this.#parts.upstreams.ask(call, call.route, { method: 'POST', headers, body });
    if (isTooLarge) return refusalFor('FileTooLarge');
    if (req.destroyed && !req.complete) return 'gone';
    const text = answer && (await readAnswer(answer, MAX_ANSWER_BYTES));
    if (answer === null || text === null) return refusalFor('UpstreamUnreachable');
    if (answer.statusCode === 200) await this.#keep(call, text);
    return this.#passOn(call, answer, text);
  }

  /** A file that nobody would own is deleted again. Rejects with LedgerUnreachable. */
  async #keep(call: AuthenticatedCall, text: string): Promise<void> {
    const id = idIn(text);
    if (id === null) return;
    try {
      await this.#parts.storedFiles.add(call.caller.workspace, id);
    } catch (error) {
      const route: Route = { ...call.route, path: `${PATH}/${id}` };
      await this.#parts.upstreams.ask(call, route, { method: 'DELETE' }).then((answer) => answer?.body.dump());
      throw error;
    }
  }

  /** The ledger knows the workspace's files, the upstream what they are. */
  async #list(call: AuthenticatedCall): Promise<Refusal | null> {
    const page = await this.#page(call);
    if (!page.ok) return page.error;
    const { ids, next } = page.value;
    if (ids.length === 0) return sendPage(call, [], null);
    const query = `?${new URLSearchParams(ids.map((id): [string, string] => ['ids[]', id])).toString()}`;
    const answer = await this.#parts.upstreams.ask(call, { ...call.route, query });
    const text = answer && (await readAnswer(answer, MAX_PAGE_BYTES));
    if (answer === null || text === null) return refusalFor('UpstreamUnreachable');
    const listed = answer.statusCode === 200 ? pageIn(text) : null;
    if (listed === null) return this.#passOn(call, answer, text);
    // An upstream that does not know the query lists everything.
    const byId = new Map(listed.data.map((file) => [file.id, file]));
    const own = ids.flatMap((id) => byId.get(id) ?? []);
    return sendPage(call, own, next);
  }

  /** The ids of the page that is asked for, and from where the next one continues; null: there is none. */
  async #page({ caller, route }: AuthenticatedCall): Promise<Result<FilePage, Refusal>> {
    const { workspace } = caller;
    const { storedFiles } = this.#parts;
    const query = new URLSearchParams(route.query);
    const asked = [...query.getAll('ids'), ...query.getAll('ids[]')].slice(0, PAGE);
    if (asked.length > 0) {
      const owned = await storedFiles.owns(workspace, asked);
      return ok({ ids: asked.filter((_, index) => owned[index]), next: null });
    }
    const limit = Number(query.get('limit') ?? DEFAULT_LIMIT);
    if (!Number.isInteger(limit) || limit < 1)
      return err({ reason: 'BodyInvalid', message: 'limit must be 1 or more.' });
    const after = query.get('page') ?? query.get('after_id');
    if (after !== null && !(await storedFiles.owns(workspace, [after]))[0]) return err(noFile(after, workspace));
    const page = Math.min(limit, PAGE);
    const ids = await storedFiles.list(workspace, after, page + 1);
    return ok({ ids: ids.slice(0, page), next: ids.length > page ? ids[page - 1]! : null });
  }

  async #one(call: AuthenticatedCall): Promise<Refusal | null> {
    const { req, res, route, caller, headersDown } = call;
    const { workspace } = caller;
    const [id = '', part] = route.path.slice(PATH.length + 1).split('/');
    if (!FILE_ID.test(id) || !(await this.#parts.storedFiles.owns(workspace, [id]))[0]) return noFile(id, workspace);
    const method = req.method as Dispatcher.HttpMethod;
    const answer = await this.#parts.upstreams.ask(call, route, { method });
    if (answer === null) return refusalFor('UpstreamUnreachable');
    const { statusCode: status, headers, body } = answer;
    if (part === 'content' && status === 200) {
      res.writeHead(status, headersDown(headers));
      await pipeline(body, res).catch(() => undefined); // if either side breaks off, the other's connection is closed too
      return null;
    }
    const text = await readAnswer(answer, MAX_ANSWER_BYTES);
    if (text === null) return refusalFor('UpstreamUnreachable');
    if (method === 'DELETE' && (status === 200 || status === 404)) await this.#parts.storedFiles.remove(workspace, id);
    return this.#passOn(call, answer, text);
  }

  #passOn(call: AuthenticatedCall, answer: Dispatcher.ResponseData, text: string): Refusal | null {
    return this.#parts.upstreamKeys.check(call.caller.workspace, answer.statusCode) ?? send(call, answer, text);
  }
}

interface FilePage {
  readonly ids: readonly string[];
  readonly next: string | null;
}

/** The refusal of an upload for its headers alone, or null. */
function refuseUnread({ 'content-encoding': encoding, 'content-length': length }: IncomingHttpHeaders): Refusal | null {
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return refusalFor('BodyCompressed');
  return Number(length ?? 0) > MAX_FILE_BYTES ? refusalFor('FileTooLarge') : null;
}

/** What the form is read by; the gateway does not read it. */
function typeAndLength(headers: IncomingHttpHeaders): RawHeaders {
  return ['content-type', 'content-length'].flatMap((name) => {
    const value = headers[name];
    return typeof value === 'string' ? [name, value] : [];
  });
}

/** The body as it comes; one that is too large breaks off. */
function bounded(req: IncomingMessage, onTooLarge: () => void): Readable {
  return Readable.from(chunksOf(req, onTooLarge), { objectMode: false });
}

async function* chunksOf(req: IncomingMessage, onTooLarge: () => void): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_FILE_BYTES) {
      onTooLarge();
      throw new Error('the file is too large');
    }
    yield chunk;
  }
}

function send(
  { res, headersDown }: AuthenticatedCall,
  { statusCode, headers }: Dispatcher.ResponseData,
  text: string,
): null {
  if (res.destroyed) return null;
  res.writeHead(statusCode, textHeadersDown(headersDown, headers, text));
  res.end(text);
  return null;
}

/** In the form of the API, with the fields by which older clients turn the pages. */
function sendPage({ res }: AuthenticatedCall, files: Page['data'], next: string | null): null {
  const [first_id, last_id] = [files[0]?.id ?? null, next ?? files.at(-1)?.id ?? null];
  const text = JSON.stringify({ data: files, next_page: next, has_more: next !== null, first_id, last_id });
  if (res.destroyed) return null;
  res.writeHead(200, ['content-type', 'application/json', 'content-length', String(Buffer.byteLength(text))]);
  res.end(text);
  return null;
}

/** Null if the text describes no file. */
function idIn(text: string): string | null {
  try {
    const id = (JSON.parse(text) as { id?: unknown } | null)?.id;
    return typeof id === 'string' && FILE_ID.test(id) ? id : null;
  } catch {
    return null;
  }
}

function noFile(id: string, workspace: ResolvedWorkspace): Refusal {
  return { reason: 'NotFound', message: noSuchFile(id, refOf(workspace)) };
}
