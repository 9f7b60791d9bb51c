import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { ResolvedWorkspace } from '../../policy/admit/resolved-workspace.ts';
import type { Attributes } from '../../policy/core/compiled-policy.ts';
import { isPlain, oneSpelling } from '../../policy/core/plain-text.ts';
import { type Refusal, refusalFor } from '../../policy/core/refusals.ts';
import { err, ok, type Result } from '../../policy/core/result.ts';
import type { PolicySource } from '../policy/active-policy.ts';
import type { AuthenticatedCall } from './call.ts';

/** A caller, and how to find it again once the policy has changed. */
type Identity = Pick<AuthenticatedCall, 'caller' | 'keyHash'>;

const BEARER = /^bearer +(\S+)$/i;
const MAX_ATTRIBUTE_BYTES = 256;

/** Finds the caller by `x-api-key` or `Authorization: Bearer`; clients may send the same value in both. */
export function authenticate(headers: IncomingHttpHeaders, policy: PolicySource): Result<Identity, Refusal> {
  if (!policy.isLoaded) return err(refusalFor('PolicyNotReady'));
  const apiKey = headers['x-api-key'];
  const bearer = BEARER.exec(headers.authorization ?? '')?.[1];
  if (apiKey === undefined && bearer === undefined) return err(refusalFor('NoCredential'));
  const one = lookUp(apiKey, policy);
  const other = bearer === apiKey ? null : lookUp(bearer, policy);
  if (one !== null && other !== null) return err(refusalFor('TwoCredentials'));
  const found = one ?? other;
  return found === null ? err(refusalFor('UnknownKey')) : ok(found);
}

function lookUp(key: string | string[] | undefined, policy: PolicySource): Identity | null {
  if (typeof key !== 'string') return null;
  const keyHash = hash('sha256', key);
  const caller = policy.find(keyHash);
  return caller === null ? null : { caller, keyHash };
}

/** The attributes that the caller claims in the headers that its workspace names. */
export function claimedAttributes(
  headers: IncomingHttpHeaders,
  workspace: ResolvedWorkspace,
): Result<Attributes, Refusal> {
  const claimed: Record<string, string> = {};
  for (const [attribute, header] of Object.entries(workspace.headers)) {
    const value = headers[header];
    if (typeof value !== 'string' || value === '') continue;
    const name = oneSpelling(decoded(value));
    if (Buffer.byteLength(name) > MAX_ATTRIBUTE_BYTES || !isPlain(name)) return err(refusalFor('AttributeInvalid'));
    claimed[attribute] = name;
  }
  return ok(claimed);
}

/** Node reads header bytes as Latin-1. Clients send names in UTF-8, or as `fetch` does in Latin-1: the same name in both. */
function decoded(value: string): string {
  const bytes = Buffer.from(value, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : value;
}
