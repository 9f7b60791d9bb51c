import { FILE_ID } from '../../policy/request/named-files.ts';
import { FieldScanner } from './field-scanner.ts';
import { EventScanner } from './sse.ts';

/** The longest `content` of an answer in one piece that is read. Bytes. */
const MAX_CONTENT = 4 * 1024 * 1024;
const RESULT = /^(bash_)?code_execution_tool_result$/;
const OUTPUT = /^(bash_)?code_execution_output$/;

/**
 * Finds the files that code has made in a container of Anthropic's, as an answer names them. Only the results of its own tools
 * count: a model writes whatever it is asked to.
 */
export class MadeFiles {
  readonly #onFiles: (ids: readonly string[]) => void;
  #events: EventScanner | null = null;
  #whole: FieldScanner | null = null;

  /** `onFiles`: called with each result that names files, of a stream at once. */
  constructor(onFiles: (ids: readonly string[]) => void) {
    this.#onFiles = onFiles;
  }

  /** Decoded bytes of the answer; `isStream` is the same for all of them. */
  write(bytes: Buffer, isStream: boolean): void {
    if (isStream) (this.#events ??= new EventScanner((_event, data) => this.#takeEvent(data))).write(bytes);
    else (this.#whole ??= new FieldScanner({ content: MAX_CONTENT })).write(bytes);
  }

  /** Called once, after the last byte. */
  end(): void {
    this.#events?.end();
    const content = this.#whole?.end()?.['content'];
    if (Array.isArray(content)) this.#tell(content.flatMap(filesIn));
  }

  /** A result comes in one event. */
  #takeEvent(data: string | null): void {
    if (data === null || !data.includes('code_execution_tool_result')) return;
    try {
      this.#tell(filesIn((JSON.parse(data) as { content_block?: unknown } | null)?.content_block));
    } catch {
      // Not JSON: the caller gets it as it came, and it names no file.
    }
  }

  #tell(ids: readonly string[]): void {
    if (ids.length > 0) this.#onFiles(ids);
  }
}

/** What a block of an answer may hold; anything may be in its place. */
interface Part {
  readonly type?: unknown;
  readonly content?: unknown;
  readonly file_id?: unknown;
}

function filesIn(block: unknown): readonly string[] {
  if (!isOfType(block, RESULT)) return [];
  const outputs = (block.content as Part | null | undefined)?.content;
  if (!Array.isArray(outputs)) return [];
  return outputs.flatMap((output: unknown) => {
    const id = isOfType(output, OUTPUT) ? output.file_id : undefined;
    return typeof id === 'string' && FILE_ID.test(id) ? [id] : [];
  });
}

function isOfType(part: unknown, type: RegExp): part is Part {
  const said = (part as Part | null | undefined)?.type;
  return typeof said === 'string' && type.test(said);
}
