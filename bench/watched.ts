import type { ClaudeBudget } from '../crds/types.gen.ts';
import type { KubeClient } from '../kube/client.ts';
import { Reflector } from '../kube/reflector.ts';
import { BUDGETS, isProgrammed } from './fleet.ts';

/** The budgets as the API server has them, and what each write of a status showed. */
export class Watched {
  readonly #reflector: Reflector<ClaudeBudget>;
  #isProgrammed = new Map<string, boolean>();
  #programmed = 0;
  onStatus: (key: string, budget: ClaudeBudget) => void = () => undefined;

  constructor(client: KubeClient) {
    this.#reflector = new Reflector<ClaudeBudget>({
      client,
      resource: BUDGETS,
      random: Math.random,
      onChange: (key, now) => {
        if (now !== undefined) this.#take(key, now);
      },
    });
  }

  async start(): Promise<void> {
    this.#reflector.start();
    await this.#reflector.synced;
  }

  async stop(): Promise<void> {
    await this.#reflector.stop();
  }

  get programmed(): number {
    return this.#programmed;
  }

  get(key: string): ClaudeBudget | undefined {
    return this.#reflector.get(key);
  }

  #take(key: string, budget: ClaudeBudget): void {
    const is = isProgrammed(budget);
    if (is !== (this.#isProgrammed.get(key) ?? false)) this.#programmed += is ? 1 : -1;
    this.#isProgrammed.set(key, is);
    this.onStatus(key, budget);
  }
}
