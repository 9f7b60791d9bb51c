import type { ClaudeBudget } from '../crds/types.gen.ts';
import type { KubeClient } from '../kube/client.ts';
import { Reflector } from '../kube/reflector.ts';
import { BUDGETS, isProgrammed } from './many-budgets.ts';

/** Watches all budgets of the API server, and counts those that are programmed. */
export class BudgetWatch {
  readonly #reflector: Reflector<ClaudeBudget>;
  #isProgrammed = new Map<string, boolean>();
  #programmed = 0;
  /** Called at every change of a budget, with `namespace/name`. */
  onStatus: (key: string, budget: ClaudeBudget) => void = () => undefined;

  constructor(client: KubeClient) {
    this.#reflector = new Reflector<ClaudeBudget>({
      client,
      resource: BUDGETS,
      random: Math.random,
      onChange: (key, now) => {
        if (now !== undefined) this.#onChange(key, now);
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

  #onChange(key: string, budget: ClaudeBudget): void {
    const programmed = isProgrammed(budget);
    if (programmed !== (this.#isProgrammed.get(key) ?? false)) this.#programmed += programmed ? 1 : -1;
    this.#isProgrammed.set(key, programmed);
    this.onStatus(key, budget);
  }
}
