// Made from the CRDs by hack/generate/types.ts; do not edit.

/** The kind ClaudeBudget. */
export const budgets = { apiVersion: 'tollgate.dev/v1alpha1', kind: 'ClaudeBudget', plural: 'claudebudgets' } as const;

/** The kind ClaudeWorkspace. */
export const workspaces = { apiVersion: 'tollgate.dev/v1alpha1', kind: 'ClaudeWorkspace', plural: 'claudeworkspaces' } as const;
