import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { delay } from './backoff.ts';
import { lines, textOf } from './body-text.ts';
import { isKubeError, KubeError, kubeErrorOf, type ServerPlace, unauthorized, unreachable } from './kube-error.ts';
import type { KubeObject, ObjectRef, Resource } from './object.ts';
import { PageSize } from './page-size.ts';

/** Which objects of a kind: of one namespace or all, narrowed by selectors. */
export interface Query {
  readonly namespace?: string;
  readonly labelSelector?: string;
  /** E.g. `metadata.name=policy`: what RBAC by `resourceNames` needs for list and watch. */
  readonly fieldSelector?: string;
}

/** The objects at one moment; a watch continues from its `resourceVersion`. */
export interface List<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

/** The object of a bookmark has only `metadata.resourceVersion`. */
export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
}

interface WatchOptions {
  readonly resourceVersion: string;
  /** The server ends the stream after this time. */
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
}

interface ApplyOptions {
  readonly fieldManager: string;
}

/** Where the API server is, and with which credential it is called. */
export interface Connection extends ServerPlace {
  /** Reads the credential (the file of a token, the output of a plugin) again if it is due. */
  authorize(): Promise<{ headers: Record<string, string>; dispatcher: Dispatcher }>;
  close(): Promise<void>;
}

interface ClientOptions {
  readonly connection: Connection;
  /** Gives [0, 1). */
  readonly random: () => number;
  /** For one call with all its retries. Milliseconds, default 15,000. */
  readonly timeoutMs?: number;
  /** A watch without any event for this time is ended, in case its connection is dead. Milliseconds, default 90,000. */
  readonly silenceMs?: number;
}

const ATTEMPTS = 4;
const RETRY = { firstMs: 200, maxMs: 5_000 };

interface Call {
  readonly method: Dispatcher.HttpMethod;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
}

/**
 * A client of raw JSON: typed models rename keys and drop unknown fields. Every method throws KubeError. Calls answered with
 * 429 or 5xx are retried after the time in `Retry-After`; after a lost connection only GET is retried, since a write may have
 * arrived.
 */
export class KubeClient {
  readonly #options: Required<ClientOptions>;

  constructor(options: ClientOptions) {
    this.#options = { timeoutMs: 15_000, silenceMs: 90_000, ...options };
  }

  get<T extends KubeObject>(resource: Resource, ref: ObjectRef): Promise<T> {
    return this.#json<T>({ method: 'GET', path: pathOf(resource, ref) });
  }

  /** Reads a document of the API server that is not an object, such as `/version` or `/openapi/v3/apis/…`. */
  document<T>(path: string): Promise<T> {
    return this.#json<T>({ method: 'GET', path });
  }

  /**
   * Reads all pages. Items have no `kind` and `apiVersion`, as in every list, and no `managedFields`. Each is reduced before
   * the next page is read, so that only one page is in memory as it came.
   */
  async list<T extends KubeObject>(
    resource: Resource,
    { namespace, ...selectors }: Query = {},
    reduce: (object: T) => T = (object) => object,
  ): Promise<List<T>> {
    const items: T[] = [];
    const path = pathOf(resource, { namespace });
    const size = new PageSize();
    for (let next: string | undefined; ;) {
      const query = { ...selectors, limit: String(size.limit), continue: next };
      const text = await this.#read({ method: 'GET', path, query }, (body) => textOf(body, size.maxBytes));
      if (text === null) {
        size.shrink();
        continue;
      }
      const page = JSON.parse(text) as ListBody<T>;
      size.learn(page.items.length, text.length);
      for (const item of page.items) items.push(reduce(withoutManagers(item)));
      next = page.metadata.continue || undefined;
      if (next === undefined) return { items, resourceVersion: page.metadata.resourceVersion };
    }
  }

  /**
   * Yields the changes after `resourceVersion` until the server ends the stream, is silent for too long, or `signal` fires.
   * @throws KubeError `Gone` if the version is too old: list again.
   */
  async *watch<T extends KubeObject>(
    resource: Resource,
    { namespace, ...selectors }: Query,
    { resourceVersion, timeoutSeconds, signal }: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>> {
    const path = pathOf(resource, { namespace });
    const what = `watch ${path}`;
    const watching = { watch: 'true', allowWatchBookmarks: 'true', timeoutSeconds: String(timeoutSeconds) };
    const query = { ...selectors, ...watching, resourceVersion };
    const answer = await this.#send({ method: 'GET', path, query }, signal);
    try {
      for await (const line of lines(answer.body)) yield eventOf<T>(line, what);
    } catch (error) {
      // Silence is normal: a server sends no bookmarks of a kind until one of its objects has changed.
      if ((error as { code?: string }).code === 'UND_ERR_BODY_TIMEOUT') return;
      throw isKubeError(error, 'Gone', 'Unavailable', 'TooMany', 'Invalid')
        ? error
        : unreachable(what, error, this.#options.connection);
    }
  }

  create<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
    return this.#write('POST', pathOf(resource, { namespace: object.metadata.namespace }), resource, object);
  }

  /** Writes the whole object; fails with `Conflict` if its `resourceVersion` is not the newest. */
  replace<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
    return this.#write('PUT', pathOf(resource, object.metadata), resource, object);
  }

  /** Server-side apply: the field manager owns the object's fields, and fields that it no longer names are removed. */
  apply<T extends KubeObject>(resource: Resource, object: T, options: ApplyOptions): Promise<T> {
    return this.#apply(pathOf(resource, object.metadata), resource, object, options);
  }

  /** Server-side apply of the status subresource. Fails with `NotFound` if the object is gone; it never creates one. */
  applyStatus<T extends KubeObject>(resource: Resource, object: T, options: ApplyOptions): Promise<T> {
    return this.#apply(`${pathOf(resource, object.metadata)}/status`, resource, object, options);
  }

  mergeStatus<T extends KubeObject>(resource: Resource, ref: ObjectRef, patch: unknown): Promise<T> {
    const contentType = 'application/merge-patch+json';
    return this.#json<T>({ method: 'PATCH', path: `${pathOf(resource, ref)}/status`, body: patch, contentType });
  }

  merge<T extends KubeObject>(resource: Resource, ref: ObjectRef, patch: unknown): Promise<T> {
    const contentType = 'application/merge-patch+json';
    return this.#json<T>({ method: 'PATCH', path: pathOf(resource, ref), body: patch, contentType });
  }

  /** Deletes the object; with `uid` only if the object still has it. */
  async delete(resource: Resource, ref: ObjectRef, uid?: string): Promise<void> {
    const body = { preconditions: uid === undefined ? {} : { uid }, propagationPolicy: 'Background' };
    await this.#json({ method: 'DELETE', path: pathOf(resource, ref), body });
  }

  /** Ends all connections, watches too. */
  async close(): Promise<void> {
    await this.#options.connection.close();
  }

  #apply<T>(path: string, resource: Resource, object: T, { fieldManager }: ApplyOptions): Promise<T> {
    const query = { fieldManager, force: 'true' };
    return this.#write('PATCH', path, resource, object, { query, contentType: 'application/apply-patch+yaml' });
  }

  #write<T>(method: Call['method'], path: string, resource: Resource, object: T, rest?: Partial<Call>): Promise<T> {
    const { apiVersion, kind } = resource;
    return this.#json<T>({ method, path, body: { apiVersion, kind, ...object }, ...rest });
  }

  #json<T>(call: Call): Promise<T> {
    return this.#read(call, async (body) => (await body.json()) as T);
  }

  async #read<T>(call: Call, read: (body: Dispatcher.ResponseData['body']) => Promise<T>): Promise<T> {
    const { connection, timeoutMs, random } = this.#options;
    const signal = AbortSignal.timeout(timeoutMs);
    let before: KubeError | undefined;
    for (let failures = 1; ; failures += 1) {
      try {
        const { body } = await this.#send(call, signal);
        return await read(body);
      } catch (cause) {
        const last = cause instanceof KubeError ? cause : unreachable(`${call.method} ${call.path}`, cause, connection);
        // When the time is up, the failure before it says why.
        const error = signal.aborted ? (before ?? last) : last;
        before = error;
        const again = error.status > 0 || call.method === 'GET';
        if (failures === ATTEMPTS || !again || !isKubeError(error, 'TooMany', 'Unavailable')) throw error;
        await sleep(error.retryAfterMs ?? delay(RETRY, failures, random), undefined, { signal }).catch(() => {
          throw error;
        });
      }
    }
  }

  async #send(call: Call, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const what = `${call.method} ${call.path}`;
    const { connection, timeoutMs, silenceMs } = this.#options;
    const { headers, dispatcher } = await connection.authorize().catch((error: unknown) => {
      throw unauthorized(what, error);
    });
    const url = new URL(connection.server);
    const answer = await dispatcher
      .request({
        origin: url.origin,
        path: `${url.pathname.replace(/\/$/, '')}${call.path}${queryOf(call.query)}`,
        method: call.method,
        headers: { ...headers, accept: 'application/json', 'content-type': call.contentType ?? 'application/json' },
        body: call.body === undefined ? null : JSON.stringify(call.body),
        headersTimeout: timeoutMs,
        bodyTimeout: silenceMs,
        signal,
      })
      .catch((error: unknown) => {
        throw unreachable(what, error, connection);
      });
    if (answer.statusCode < 400) return answer;
    const said = await answer.body.text().catch(() => '');
    throw kubeErrorOf(answer.statusCode, what, messageOf(said), answer.headers['retry-after'] as string | undefined);
  }
}

interface ListBody<T> {
  readonly items: readonly T[];
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
}

/** `/api/v1/namespaces/NS/secrets/NAME`, without the parts that are not given. */
function pathOf({ apiVersion, plural }: Resource, { namespace, name }: Partial<ObjectRef>): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${scope}/${plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}

function queryOf(query: Call['query'] = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}

/** The message of a Status body; undefined if something between us and the API server answered. */
function messageOf(body: string): string | undefined {
  try {
    return (JSON.parse(body) as { message?: string }).message;
  } catch {
    return undefined;
  }
}

function eventOf<T extends KubeObject>(line: string, what: string): WatchEvent<T> {
  const event = JSON.parse(line) as WatchEvent<T> | { type: 'ERROR'; object: { code?: number; message?: string } };
  if (event.type === 'ERROR') throw kubeErrorOf(event.object.code ?? 500, what, event.object.message);
  return { type: event.type, object: withoutManagers(event.object) };
}

/** `managedFields` is half of an object and not used here. The API server keeps it when a write leaves it out. */
function withoutManagers<T extends KubeObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata as T['metadata'] & { readonly managedFields?: unknown };
  return { ...object, metadata };
}
