import { Agent, request } from 'undici';
import { budget, type Installation, type Team } from '../../../bench/installation.ts';

export interface TenantOptions {
  /** Its namespace; unique in a run. */
  readonly name: string;
  /** Its only promise: the upstream never charges it more. Dollars, as in a budget. */
  readonly capUsd: string;
  /** YAML documents of further budgets, each beginning with `---`. */
  readonly budgets?: string;
}

export interface HostileAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

interface HostileRequest {
  readonly path?: string;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is. */
  readonly body?: string | Buffer;
}

/** A tenant with a valid key that sends what it likes. */
export class HostileTenant {
  readonly team: Team;
  readonly capUsd: string;
  readonly #gateways: readonly string[];
  readonly #agent = new Agent({ connections: 64, headersTimeout: 60_000, bodyTimeout: 60_000 });

  private constructor(team: Team, capUsd: string, gateways: readonly string[]) {
    this.team = team;
    this.capUsd = capUsd;
    this.#gateways = gateways;
  }

  /** Makes the namespace, and waits until its budgets are enforced. */
  static async make(installation: Installation, { name, capUsd, budgets = '' }: TenantOptions): Promise<HostileTenant> {
    const cap = budget(name, 'cap', `limit: { usd: '${capUsd}' }`);
    const team = await installation.team(name, cap + budgets);
    return new HostileTenant(team, capUsd, installation.gateways);
  }

  /** Sends a request to gateway `index`. Rejects where the connection breaks. */
  async send(
    { path = '/v1/messages', method = 'POST', headers = {}, body }: HostileRequest,
    index = 0,
  ): Promise<HostileAnswer> {
    const gateway = this.#gateways[index % this.#gateways.length]!;
    const answer = await request(`${gateway}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: {
        'x-api-key': this.team.apiKey,
        'anthropic-version': '2023-06-01',
        'content-type': 'application/json',
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    });
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
