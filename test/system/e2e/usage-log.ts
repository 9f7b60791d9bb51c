import { kubectl } from '../../../hack/cluster/node.ts';
import { NAMESPACE } from './release.ts';

/** What the usage log has of a namespace. Nano-dollars. */
export interface Logged {
  readonly calls: number;
  readonly costNano: bigint;
  readonly presumedNano: bigint;
}

/** Asks the bundled Postgres in its own Pod. */
export async function logged(namespace: string): Promise<Logged> {
  const sums = 'count(*), coalesce(sum(cost_nano), 0), coalesce(sum(presumed_nano), 0)';
  const query = `select ${sums} from calls where workspace like '${namespace}/%' and calls is distinct from 0`;
  const [calls, cost, presumed] = (await inPostgres(`psql -h /tmp -U tollgate -At -F ' ' -c "${query}"`)).split(' ');
  return { calls: Number(calls), costNano: BigInt(cost ?? 0), presumedNano: BigInt(presumed?.trim() ?? 0) };
}

/** Runs a shell command in the Pod of the bundled Postgres, as its own role. */
export function inPostgres(command: string, input = ''): Promise<string> {
  const shell = `export PGPASSWORD="$POSTGRES_PASSWORD"; ${command}`;
  return kubectl(['exec', '-i', 'tollgate-postgres-0', '-n', NAMESPACE, '--', 'sh', '-c', shell], { input });
}
