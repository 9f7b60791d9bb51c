import Anthropic from '@anthropic-ai/sdk';

/**
 * A program that knows nothing of Tollgate: the SDK takes gateway and key from the environment. It asks for 60,000 tokens
 * until it is refused, and prints how often it was answered, and the refusal.
 */

const client = new Anthropic({ timeout: 60_000 });
let answered = 0;
for (;;) {
  try {
    await client.messages.create({
      model: 'claude-haiku-4-5',
      max_tokens: 60_000,
      messages: [{ role: 'user', content: 'Tell me everything.' }],
      metadata: { user_id: 'stand-in:{"usage":{"input_tokens":25,"output_tokens":60000}}' },
    });
    answered++;
  } catch (error) {
    const { status, error: body } = error as InstanceType<typeof Anthropic.APIError>;
    console.log(JSON.stringify({ answered, status, body }));
    break;
  }
}
