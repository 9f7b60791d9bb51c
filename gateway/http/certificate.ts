import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';

/** A certificate with its chain, and its key. PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** How often the folder is read: the cluster writes renewed Secrets about once a minute. Milliseconds. */
const POLL_MS = 5_000;

/**
 * The gateway's certificate, in a folder as a Secret of type `kubernetes.io/tls` is mounted: `tls.crt` and `tls.key`. A
 * renewed one is used without a restart; one that cannot be used, or was only half written, changes nothing.
 */
export class Certificate {
  readonly #folder: string;
  #pair: KeyPair;
  #problem = '';
  #timer: NodeJS.Timeout | undefined;

  private constructor(folder: string, pair: KeyPair) {
    this.#folder = folder;
    this.#pair = pair;
  }

  /** Throws an Error that says what is wrong with the files. */
  static async open(folder: string): Promise<Certificate> {
    return new Certificate(folder, await read(folder));
  }

  get pair(): KeyPair {
    return this.#pair;
  }

  /** When it expires. Milliseconds since the epoch. */
  get expires(): number {
    return new X509Certificate(this.#pair.cert).validToDate.getTime();
  }

  /** Calls `onRenewed` when there is another one, and `onProblem` once for each problem with it. */
  follow(onRenewed: (pair: KeyPair) => void, onProblem: (error: Error) => void): void {
    const check = async (): Promise<void> => {
      try {
        const pair = await read(this.#folder);
        this.#problem = '';
        if (pair.cert === this.#pair.cert && pair.key === this.#pair.key) return;
        this.#pair = pair;
        onRenewed(pair);
      } catch (error) {
        const { message } = error as Error;
        if (message !== this.#problem) onProblem(error as Error);
        this.#problem = message;
      }
    };
    this.#timer = setInterval(() => void check(), POLL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

async function read(folder: string): Promise<KeyPair> {
  try {
    const [cert, key] = await Promise.all(['tls.crt', 'tls.key'].map((name) => readFile(join(folder, name), 'utf8')));
    const pair = { cert: cert!, key: key! };
    // Empty files, as of a certificate that is not issued yet, would make a TLS context without a certificate.
    const isPair = new X509Certificate(pair.cert).checkPrivateKey(createPrivateKey(pair.key));
    if (!isPair) throw new Error('tls.key does not belong to tls.crt');
    createSecureContext(pair);
    return pair;
  } catch (error) {
    const why = (error as Error).message;
    throw new Error(`tls.crt and tls.key in ${folder} (TOLLGATE_TLS_FOLDER) cannot be used: ${why}`, { cause: error });
  }
}
