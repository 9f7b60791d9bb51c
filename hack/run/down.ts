import { join } from 'node:path';
import { stopSystem } from './system.ts';

// `make down`: stops what `make up` started. Data and logs stay in .run; `make clean` removes them.

try {
  await stopSystem(join(import.meta.dirname, '../../.run'));
} catch (error) {
  console.error(`make down: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
