import { isGiven, type JsonFields, listAt, objectAt, onlyFields } from '../json/json-access.ts';

const OUTPUT_CONFIG = new Set(['effort', 'format', 'task_budget']);

/** Structured output adds a system prompt that explains the schema; the schema itself is in the body. */
const FORMAT_PROMPT_TOKENS = 1024;

/** With a task budget the model is told how much is left, at the beginning and in every turn. */
const BUDGET_PROMPT_TOKENS = 1024;
const BUDGET_TURN_TOKENS = 64;

/** Tokens that output format and task budget add to the prompt of any attempt. Throws `RequestRejected`. */
export function outputConfigTokens({ output_config, output_format, fallbacks, messages }: JsonFields): number {
  const others = Array.isArray(fallbacks) ? fallbacks : [];
  const configs = [
    configAt(output_config, 'output_config'),
    ...others.map((one, i) => configAt((one as JsonFields)['output_config'], `fallbacks[${i}].output_config`)),
  ];
  const hasFormat = isGiven(output_format) || configs.some(({ format }) => isGiven(format));
  const hasBudget = configs.some(({ task_budget }) => isGiven(task_budget));
  const budget = BUDGET_PROMPT_TOKENS + BUDGET_TURN_TOKENS * listAt(messages, 'messages').length;
  return (hasFormat ? FORMAT_PROMPT_TOKENS : 0) + (hasBudget ? budget : 0);
}

function configAt(value: unknown, path: string): JsonFields {
  const config = objectAt(value ?? {}, path);
  onlyFields(config, OUTPUT_CONFIG, path);
  return config;
}
