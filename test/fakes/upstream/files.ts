import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { Problem, headers, sendJson } from './envelope.ts';

interface StoredFile {
  readonly id: string;
  readonly apiKey: string;
  readonly name: string;
  readonly content: Buffer;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
}

/** Where on this server a file is asked for. */
export const FILES = '/v1/files';

/** The Files API of the stand-in: a file is seen with the key with which it was uploaded. */
export class Files {
  /** Newest first. */
  readonly #all: StoredFile[] = [];
  #uploaded = 0;

  /** `route`: method and path. */
  async answer(apiKey: string, route: string, exchange: Exchange): Promise<void> {
    const { request, response, requestId } = exchange;
    const send = (value: unknown) => sendJson(response, requestId, JSON.stringify(value));
    const [, method, id = '', rest] = /^(\w+) [^ ]*?files\/?([^/]*)(\/?.*)$/.exec(route) ?? [];
    switch (`${method} ${id === '' ? '' : '{id}'}${rest}`) {
      case 'POST ':
        return send(view(await this.#store(apiKey, request)));
      case 'GET ':
        return send(this.#list(apiKey, new URL(request.url ?? '', 'http://x').searchParams));
      case 'GET {id}':
        return send(view(this.#find(apiKey, id)));
      case 'GET {id}/content': {
        const { content } = this.#find(apiKey, id);
        response.writeHead(200, {
          ...headers(requestId, 'application/octet-stream'),
          'content-length': content.length,
        });
        return void response.end(content);
      }
      case 'DELETE {id}':
        this.#all.splice(this.#all.indexOf(this.#find(apiKey, id)), 1);
        return send({ id, type: 'file_deleted' });
      default:
        throw new Problem(404, 'not_found_error', 'Not found');
    }
  }

  async #store(apiKey: string, request: IncomingMessage): Promise<StoredFile> {
    const body = new Response(await buffer(request), { headers: { 'content-type': request.headers['content-type']! } });
    const form = await body.formData().catch(() => null);
    const part = form?.get('file');
    if (!(part instanceof File)) throw new Problem(400, 'invalid_request_error', 'file: Field required');
    const id = `file_${(this.#uploaded += 1).toString(36).padStart(24, '0')}`;
    const file = { id, apiKey, name: part.name, content: Buffer.from(await part.arrayBuffer()) };
    this.#all.unshift(file);
    return file;
  }

  /** Only the asked ids, or everything. */
  #list(apiKey: string, query: URLSearchParams): unknown {
    const ids = query.getAll('ids[]');
    const own = this.#all.filter((file) => file.apiKey === apiKey);
    const data = own.filter(({ id }) => ids.length === 0 || ids.includes(id)).map(view);
    return { data, next_page: null };
  }

  #find(apiKey: string, id: string): StoredFile {
    const file = this.#all.find((one) => one.id === id && one.apiKey === apiKey);
    if (file === undefined) throw new Problem(404, 'not_found_error', `File not found: ${id}`);
    return file;
  }
}

function view({ id, name, content }: StoredFile) {
  return {
    id,
    type: 'file',
    filename: name,
    mime_type: 'text/plain',
    size_bytes: content.length,
    created_at: '2026-01-01T00:00:00Z',
    downloadable: false,
  };
}
