import { isServed } from './models.ts';
import { startUpstream } from './upstream.ts';

// The stand-in for the Anthropic API as a process. PORT: default any free one. HOST: default 127.0.0.1.

const { PORT = '0', HOST = '127.0.0.1' } = process.env;
const { port } = await startUpstream({ port: Number(PORT), host: HOST, serves: isServed });
console.log(JSON.stringify({ level: 'info', msg: 'listening', port }));
