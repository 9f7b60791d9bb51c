import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Supervised, Supervisor } from '../services/supervisor.ts';

// The process that `make up` leaves behind to restart gateways and operators that end. `make down` ends it.

const supervisor = new Supervisor(JSON.parse(await text(process.stdin)) as Supervised, console.log);
for (;;) {
  await supervisor.check(Date.now());
  await sleep(500);
}
