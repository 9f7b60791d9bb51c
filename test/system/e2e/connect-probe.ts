import { connect } from 'node:net';

/** Connects to each address in the arguments (`host:port`), and prints as JSON which accepted. */

const TIMEOUT_MS = 3_000;

const reached = await Promise.all(process.argv.slice(2).map(async (address) => [address, await reaches(address)]));
console.log(JSON.stringify(Object.fromEntries(reached)));

function reaches(address: string): Promise<boolean> {
  const { hostname, port } = new URL(`tcp://${address}`);
  return new Promise((resolve) => {
    const end = (is: boolean): void => {
      socket.destroy();
      resolve(is);
    };
    const socket = connect({ host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }, () => end(true));
    socket.setTimeout(TIMEOUT_MS, () => end(false));
    socket.on('error', () => end(false));
  });
}
