/** A test file, as jest passes it. */
interface TestFile {
  readonly path: string;
  readonly context: { readonly hasteFS: { getSize: (path: string) => number | null } };
}

/** The files that take half a minute or more, the slowest first: a slow file that begins last would keep one worker alone. */
const SLOW = [
  'chaos/chaos.',
  'faults/loss.',
  'operator/ledger.',
  'faults/failover.',
  'batches/batches.',
  'hack/system.',
  'processes/',
  'gateway/outage',
  'clients/degrade.',
  'cli/doctor',
  'chaos/rollover.',
  'operator/key-secrets.',
  'operator/versions.',
  'gateway/aborts',
  'operator/operator.',
  'monitoring/dashboard.',
  'ledger/recovery.',
];

/** The order in which jest runs the files: the slow ones, then the larger ones first. */
export default class SlowestFirst {
  sort(tests: readonly TestFile[]): TestFile[] {
    const rank = ({ path }: TestFile) => SLOW.findIndex((part) => path.includes(part)) >>> 0; // -1 becomes the last
    const size = ({ path, context }: TestFile) => context.hasteFS.getSize(path) ?? 0;
    return tests.toSorted((a, b) => rank(a) - rank(b) || size(b) - size(a));
  }

  shard(tests: readonly TestFile[]): readonly TestFile[] {
    return tests;
  }

  allFailedTests(): readonly TestFile[] {
    return [];
  }

  /** Nothing is kept from run to run. */
  cacheResults(): void {}
}
