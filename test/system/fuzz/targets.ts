import type { FuzzTarget } from './fuzz.ts';
import { requestReader } from './request-reader.ts';

export const TARGETS: readonly FuzzTarget[] = [requestReader];
