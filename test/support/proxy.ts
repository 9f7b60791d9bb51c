import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from '../../hack/services/ports.ts';

/** A way to a TCP server on 127.0.0.1 that can be as bad as a network. */
export interface Proxy {
  readonly port: number;
  /** New connections lead to another port; open ones stay where they are. */
  lead: (port: number) => void;
  /** Every byte is so many milliseconds late, each way. */
  delay: (ms: number) => void;
  /** Refuses new connections and resets those that are open. */
  cut: () => Promise<void>;
  /** Half-open: connections stay, and nothing gets through any more. `answers`: what is asked still arrives. */
  silence: (what: 'answers' | 'everything') => void;
  /** Half-open for those that are open now; new connections work. */
  vanish: () => void;
  /** Everything gets through again, on new connections. */
  mend: () => Promise<void>;
  stop: () => Promise<void>;
}

/** Opens a way to `port`. */
export async function startProxy(port: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const vanished = new WeakSet<Socket>();
  let target = port;
  let late = 0;
  let lost: 'nothing' | 'answers' | 'everything' = 'nothing';
  const own = await freePort();
  let server = await listen(own);

  async function listen(at: number): Promise<Server> {
    const opened = createServer({ noDelay: true }, (near) => {
      const far = connect({ port: target, host: '127.0.0.1', noDelay: true });
      carry(near, far, () => lost === 'everything');
      carry(far, near, () => lost !== 'nothing');
    });
    opened.listen(at, '127.0.0.1');
    await once(opened, 'listening');
    return opened;
  }

  function carry(from: Socket, to: Socket, isLost: () => boolean): void {
    sockets.add(from);
    // In order, also what comes right after the delay was lowered.
    const waiting: { at: number; bytes: Buffer }[] = [];
    const flush = (): void => {
      while (waiting[0] !== undefined && waiting[0].at <= performance.now() + 1) {
        const bytes = waiting.shift()?.bytes ?? '';
        if (to.writable) to.write(bytes);
      }
    };
    from.on('data', (bytes) => {
      if (isLost() || vanished.has(from)) return;
      waiting.push({ at: performance.now() + late, bytes });
      if (late === 0) flush();
      else setTimeout(flush, late).unref();
    });
    from.on('error', () => to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
  }

  function reset(): void {
    for (const socket of sockets) socket.destroy();
  }

  async function cut(): Promise<void> {
    const closed = server.listening ? once(server, 'close') : Promise.resolve();
    server.close();
    reset();
    await closed;
  }

  return {
    port: own,
    lead: (to) => {
      target = to;
    },
    delay: (ms) => {
      late = ms;
    },
    cut,
    silence: (what) => {
      lost = what;
    },
    vanish: () => {
      for (const socket of sockets) vanished.add(socket);
    },
    mend: async () => {
      reset(); // what was swallowed is missing in the middle of these
      lost = 'nothing';
      if (!server.listening) server = await listen(own);
    },
    stop: cut,
  };
}
