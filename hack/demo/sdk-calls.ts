import Anthropic from '@anthropic-ai/sdk';
import type { Team } from './teams.ts';

const CUSTOMERS = ['acme', 'globex', 'initech', 'umbrella', 'stark'];

/**
 * A hundred calls with the TypeScript SDK, every other one streamed: fifty by the shop's assistant, fifty by the insights
 * team for its customers. Returns how many were answered.
 */
export async function hundredCalls(gateways: readonly string[], shop: Team, insights: Team): Promise<number> {
  const calls = Array.from({ length: 100 }, async (_, index) => {
    const team = index % 2 === 0 ? shop : insights;
    const client = clientOf(gateways[index % gateways.length] ?? '', team);
    const customer = CUSTOMERS[(index >> 1) % CUSTOMERS.length] ?? '';
    const headers = team === insights ? { 'x-tollgate-customer': customer } : {};
    const content =
      team === insights
        ? `Write ${customer}'s report of the month: what they ordered, what came back, and what they complained about.`
        : `Summarise order ${index} in one sentence.`;
    const request = { model: 'claude-sonnet-5-5', max_tokens: 200, messages: [{ role: 'user' as const, content }] };
    const streamed = index % 4 < 2;
    const answer = streamed
      ? await client.messages.stream(request, { headers }).finalMessage()
      : await client.messages.create(request, { headers });
    return answer.stop_reason !== null;
  });
  return (await Promise.all(calls)).filter(Boolean).length;
}

/** One call, and what the SDK says when it is refused. */
export async function refusalOf(gateway: string, team: Team): Promise<string> {
  const request = {
    model: 'claude-haiku-4-5',
    max_tokens: 600,
    messages: [{ role: 'user' as const, content: 'Again.' }],
  };
  try {
    await clientOf(gateway, team).messages.create(request);
    return 'answered';
  } catch (error) {
    if (!(error instanceof Anthropic.APIError)) throw error;
    const body = error.error as { error: { message: string } };
    return `${error.constructor.name} (${error.status}): ${body.error.message}`;
  }
}

function clientOf(baseURL: string, team: Team): Anthropic {
  return new Anthropic({ baseURL, apiKey: team.apiKey });
}
