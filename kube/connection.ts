import type { Dispatcher } from 'undici';

/** Where the API server is, and with which credential it is called. */
export interface Connection {
  /** E.g. `https://10.0.0.1:443`, perhaps with a path. */
  readonly server: string;
  /** Reads the credential (the file of a token, the output of a plugin) again if it is due. */
  authorize(): Promise<{ headers: Record<string, string>; dispatcher: Dispatcher }>;
  close(): Promise<void>;
}
