import type { Behaviour } from '../../fakes/upstream/behaviour.ts';

/** A small message that tells the stand-in how to answer it; `fields` are laid over it. */
export function standInBody(behaviour: Behaviour, fields: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    model: 'claude-sonnet-5-5',
    max_tokens: 10,
    messages: [{ role: 'user', content: 'Hello' }],
    metadata: { user_id: `stand-in:${JSON.stringify(behaviour)}` },
    ...fields,
  });
}
