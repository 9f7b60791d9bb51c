/** The names of objects that the installation brings, and the types of Secrets. */

/** The type of Secrets that hold an upstream key; no other Secret is read for one. */
export const UPSTREAM_KEY_TYPE = 'tollgate.dev/upstream-key';
/** The type of Secrets that the operator makes for callers. */
export const CALLER_KEY_TYPE = 'tollgate.dev/key';
/** The labels that say whose key a Secret holds, and its entries. */
export const WORKSPACE_LABEL = 'tollgate.dev/workspace';
export const KEY_LABEL = 'tollgate.dev/key';
export const KEY_ENTRY = 'ANTHROPIC_API_KEY';
export const URL_ENTRY = 'ANTHROPIC_BASE_URL';

/** The Service whose endpoints are the gateways. */
export const GATEWAY_SERVICE = 'tollgate-gateway';
export const LEDGER_CHECKPOINT = 'tollgate-ledger';
/** The ConfigMap with the administrator's own price book; optional. */
export const PRICES = 'tollgate-prices';
/** The ConfigMap with the administrator's own list of names; optional. */
export const NAMES = 'tollgate-names';
/** The Lease of the leader election: only its holder writes. */
export const LEASE = 'tollgate-operator';
/** The operator's field manager in server-side apply. */
export const FIELD_MANAGER = 'tollgate-operator';
