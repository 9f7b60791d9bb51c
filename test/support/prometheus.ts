import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { assetFolder } from '../../hack/assets/asset-folder.ts';
import { METRICS_TOKEN } from '../../hack/run/scrape.ts';
import { freePort } from '../../hack/services/ports.ts';
import { launch, responds } from '../../hack/services/processes.ts';

/** A series of a query's answer. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** A Prometheus that runs. */
export interface Prometheus {
  /** What a query gives now. @throws Error with what Prometheus says where it cannot be read. */
  readonly query: (query: string) => Promise<readonly Sample[]>;
  /** What its API gives, such as `rules`. */
  readonly get: (path: string) => Promise<unknown>;
  readonly stop: () => Promise<void>;
}

/** Starts a Prometheus that scrapes `targets` (host:port) and evaluates `rules`, each once a second. */
export async function startPrometheus(
  directory: string,
  targets: readonly string[],
  rules: object,
): Promise<Prometheus> {
  mkdirSync(directory, { recursive: true });
  const port = await freePort();
  const configuration = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: ['rules.yaml'],
    scrape_configs: [
      { job_name: 'tollgate', authorization: { credentials: METRICS_TOKEN }, static_configs: [{ targets }] },
    ],
  };
  writeFileSync(join(directory, 'prometheus.yaml'), stringify(configuration));
  writeFileSync(join(directory, 'rules.yaml'), stringify(rules));
  const url = `http://127.0.0.1:${port}`;
  const child = await launch(
    {
      name: 'prometheus',
      command: join(assetFolder('prometheus'), 'prometheus'),
      args: [
        `--config.file=${join(directory, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      logFile: join(directory, 'prometheus.log'),
    },
    () => responds(`${url}/-/ready`),
  );
  const get = async (path: string): Promise<unknown> => {
    const answer = (await (await fetch(`${url}/api/v1/${path}`)).json()) as { data?: unknown; error?: string };
    if (answer.error !== undefined) throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  };
  return {
    get,
    query: async (query) => {
      const { result } = (await get(`query?query=${encodeURIComponent(query)}`)) as { result: readonly Sample[] };
      return result;
    },
    stop: () => child.stop(),
  };
}
