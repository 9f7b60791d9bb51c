import type { FuzzTarget } from './fuzz.ts';
import { requestReader } from './request-reader.ts';
import { resources } from './resources.ts';
import { shardCodec } from './shard-codec.ts';
import { sse } from './sse.ts';
import { usage } from './usage.ts';

export const TARGETS: readonly FuzzTarget[] = [requestReader, sse, usage, shardCodec, resources];
