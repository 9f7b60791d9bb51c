import { isGiven, isObject, type JsonFields, listAt } from '../json/json-access.ts';

/** Structured output adds a system prompt that explains the schema; the schema itself is in the body. */
const FORMAT_PROMPT_TOKENS = 1024;

/** With a task budget the model is told how much is left, at the beginning and in every turn. */
const BUDGET_PROMPT_TOKENS = 1024;
const BUDGET_TURN_TOKENS = 64;

/** Tokens that output format and task budget add to the prompt of any attempt. */
export function outputConfigTokens({ output_config, output_format, fallbacks, messages }: JsonFields): number {
  const others = Array.isArray(fallbacks) ? fallbacks : [];
  const configs = [output_config, ...others.map((one) => (one as JsonFields)['output_config'])].filter(isObject);
  const hasFormat = isGiven(output_format) || configs.some(({ format }) => isGiven(format));
  const hasBudget = configs.some(({ task_budget }) => isGiven(task_budget));
  const budget = BUDGET_PROMPT_TOKENS + BUDGET_TURN_TOKENS * listAt(messages, 'messages').length;
  return (hasFormat ? FORMAT_PROMPT_TOKENS : 0) + (hasBudget ? budget : 0);
}
