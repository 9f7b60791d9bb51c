import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { err, ok, type Result } from '../../policy/core/result.ts';
import { type Refusal, refusalFor } from '../../policy/refusals/refusals.ts';
import type { PolicySource } from '../policy/active-policy.ts';
import type { AuthenticatedCall } from './call.ts';

/** A caller, and how to find it again once the policy has changed. */
type Identity = Pick<AuthenticatedCall, 'caller' | 'keyHash'>;

const BEARER = /^bearer +(\S+)$/i;

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
