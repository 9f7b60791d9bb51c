import { startUpstream } from './upstream.ts';

// The stand-in for the Anthropic API as a process. PORT: on 127.0.0.1, default any free one.

const { port } = await startUpstream({ port: Number(process.env['PORT'] ?? 0) });
console.log(JSON.stringify({ level: 'info', msg: 'listening', port }));
