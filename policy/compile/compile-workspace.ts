import type { ClaudeWorkspace, ClaudeWorkspaceSpec } from '../../crds/types.gen.ts';
import { namespaceAttributes } from '../config/namespace-attributes.ts';
import { allowsUpstream, type Settings } from '../config/settings.ts';
import {
  type CompiledModels,
  type CompiledWorkspace,
  type Credentials,
  type Guards,
  type Ref,
  refOf,
} from '../core/compiled-policy.ts';
import type { Finding } from '../core/conditions.ts';
import { attributesAt, scopeAt } from './attribute-names.ts';
import type { CompileCache } from './compile-cache.ts';
import type { CompileInput, Cut, InputNamespace } from './compile-input.ts';
import { amountOf, NotAccepted, validateResource } from './not-accepted.ts';
import { restrainCredentials, restrainWorkspace } from './restrained.ts';
import { largerThanAllowed, MAX_BYTES } from './too-large.ts';

/** The part of a compiled workspace that its own spec and its namespace decide; the rest comes from budgets, prices and credentials. */
export type OwnPart = Omit<CompiledWorkspace, 'version' | 'budgets' | 'spanning' | 'prices' | 'names' | 'credentials'>;

/** A workspace after validation. `own` and `credentials` are null if no generation of it was ever accepted. */
export interface ValidatedWorkspace {
  readonly ref: Ref;
  /** RFC 3339, to the second. */
  readonly created: string;
  readonly generation: number;
  readonly accepted: Finding<'Accepted'>;
  readonly own: OwnPart | null;
  readonly credentials: Credentials | null;
}

export interface AcceptedWorkspace {
  readonly workspace: CompiledWorkspace;
  readonly credentials: Credentials;
}

type Source = Credentials['upstreamSecret'];

/**
 * Compiles one workspace without its budgets. If an edit is not accepted, the stored workspace stays in force with the
 * keys that exist now; its upstream key is removed if the Secret or the allow-list no longer has it. What is stored of an
 * earlier object of the same name does not count.
 */
export function validateWorkspace(
  resource: ClaudeWorkspace & Cut,
  namespace: InputNamespace,
  previous: AcceptedWorkspace | undefined,
  input: CompileInput,
  cache: CompileCache,
): ValidatedWorkspace {
  const identity = identityOf(resource, namespace, input.settings);
  const { accepted, compiled } = validateResource(() => {
    checkWorkspace(resource, input);
    return cache.own(resource, identity, () => compileWorkspace(resource, identity, input.settings));
  });
  const { creationTimestamp: created = '', generation = 0 } = resource.metadata;
  const found = { ref: refOf(resource.metadata), created, generation, accepted };
  const last = previous === undefined || isOther(resource, previous) ? undefined : previous;
  if (compiled !== null) {
    const next = { own: compiled, credentials: credentialsOf(compiled, sourceOf(resource), input) };
    const bytes = resource.cutBytes ?? cache.bytes(compiled);
    return bytes <= MAX_BYTES.ClaudeWorkspace ? { ...found, ...next } : tooLarge(found, bytes, next, last, input);
  }
  if (last === undefined) return { ...found, own: null, credentials: null };
  const own = { ...ownPartOf(last.workspace), ...identity };
  return { ...found, own, credentials: credentialsOf(own, last.credentials.upstreamSecret, input) };
}

/** The part that follows from object and namespace, whatever the spec says. */
export type Identity = Required<Pick<OwnPart, 'uid' | 'namespaceUid' | 'namespaceAttributes'>>;

function identityOf({ metadata }: ClaudeWorkspace, namespace: InputNamespace, settings: Settings): Identity {
  return {
    uid: metadata.uid ?? '',
    namespaceUid: namespace.uid,
    namespaceAttributes: namespaceAttributes(metadata.namespace, namespace.labels, settings),
  };
}

/** Whether what is stored is of an earlier object; schema 2 does not say. */
function isOther({ metadata }: ClaudeWorkspace, { workspace: { uid } }: AcceptedWorkspace): boolean {
  return uid !== undefined && uid !== metadata.uid;
}

/** Null without an accepted form; else the last one with what the edit suspends and revokes. */
function tooLarge(
  found: Pick<ValidatedWorkspace, 'ref' | 'created' | 'generation'>,
  bytes: number,
  next: { readonly own: OwnPart; readonly credentials: Credentials },
  last: AcceptedWorkspace | undefined,
  input: CompileInput,
): ValidatedWorkspace {
  const accepted = largerThanAllowed('ClaudeWorkspace', bytes, last !== undefined);
  if (last === undefined) return { ...found, accepted, own: null, credentials: null };
  const own = restrainWorkspace(ownPartOf(last.workspace), next.own);
  // The key that the upstream has now, also if it is longer, or there was none for a while.
  const credentials =
    own.baseURL === next.own.baseURL
      ? credentialsOf(own, next.credentials.upstreamSecret, input)
      : restrainCredentials(last.credentials, next, own, input.settings);
  return { ...found, accepted, own, credentials };
}

/** Throws `NotAccepted`. */
function checkWorkspace(resource: ClaudeWorkspace, input: CompileInput): void {
  const { metadata, spec } = resource;
  if (!allowsUpstream(input.settings, spec.upstream.baseURL)) {
    const allowed = input.settings.upstreams.join(', ');
    const message = `spec.upstream.baseURL: this upstream is not allowed. Use one of ${allowed} (setting upstreams).`;
    throw new NotAccepted('UpstreamNotAllowed', message);
  }
  upstreamKey(metadata.namespace, sourceOf(resource), input);
  checkSecretNames(resource, input);
}

function compileWorkspace({ metadata, spec }: ClaudeWorkspace, identity: Identity, settings: Settings): OwnPart {
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    ...identity,
    generation: metadata.generation ?? 0,
    baseURL: spec.upstream.baseURL,
    ...(spec.upstream.headers === undefined ? {} : { upstreamHeaders: spec.upstream.headers }),
    suspend: spec.suspend,
    keys: spec.keys.map(({ name, priority, attributes }, i) => ({
      name,
      priority,
      attributes: {
        ...attributesAt('spec.attributes', spec.attributes),
        ...attributesAt(`spec.keys[${i}].attributes`, attributes),
      },
    })),
    headers: headersOf(spec.headers),
    models: modelsOf(spec.models),
    guards: guardsOf(spec.guards),
    // A workspace may only tighten what the installation does.
    unknownFields: settings.unknownFields === 'Refuse' ? 'Refuse' : spec.requests.unknownFields,
    ...(spec.requests.metadataUser === 'Claim' ? { metadataUser: 'Claim' as const } : {}),
    batches: spec.batches.mode,
    ...(spec.files.mode === 'Allow' ? { files: 'Allow' as const } : {}),
    refusal: spec.refusal,
  };
}

/** One list of attributes, whether or not they are tags. */
function headersOf({ tags, ...headers }: ClaudeWorkspaceSpec['headers']): OwnPart['headers'] {
  return { ...tags, ...headers };
}

function sourceOf({ spec }: ClaudeWorkspace): Source {
  const { name, key } = spec.upstream.apiKeySecretRef;
  return { name, key };
}

function modelsOf({ restrictions, ...models }: ClaudeWorkspaceSpec['models']): CompiledModels {
  if (restrictions.length === 0) return models;
  return {
    ...models,
    restrictions: restrictions.map(({ name, match, allow }, i) => ({
      name,
      match: scopeAt(`spec.models.restrictions[${i}].match`, match),
      allow,
    })),
  };
}

function guardsOf({ maxRequestUsd, unboundedRequestUsd, ...counts }: ClaudeWorkspaceSpec['guards']): Guards {
  return {
    ...counts,
    ...(maxRequestUsd === undefined ? {} : { maxRequestNano: amountOf('spec.guards.maxRequestUsd', maxRequestUsd) }),
    ...(unboundedRequestUsd === undefined
      ? {}
      : { unboundedRequestNano: amountOf('spec.guards.unboundedRequestUsd', unboundedRequestUsd) }),
  };
}

/** The longest upstream key; those of Anthropic have about 110 characters. */
const MAX_KEY_LENGTH = 4_096;

/** The only type of Secret that Tollgate reads as an upstream key. */
const UPSTREAM_KEY_TYPE = 'tollgate.dev/upstream-key';

function upstreamKey(namespace: string, source: Source, input: CompileInput): string {
  const secret = input.upstreamSecrets.get(`${namespace}/${source.name}`);
  const field = 'spec.upstream.apiKeySecretRef';
  if (secret === undefined)
    throw new NotAccepted(
      'SecretNotFound',
      `${field}: Secret ${source.name} does not exist in this namespace. Create it.`,
    );
  if (secret.type !== UPSTREAM_KEY_TYPE) {
    const message = `${field}: Secret ${source.name} is of type ${secret.type}. Create it with type ${UPSTREAM_KEY_TYPE}; no other is read.`;
    throw new NotAccepted('SecretTypeWrong', message);
  }
  const value = Object.hasOwn(secret.data, source.key) ? secret.data[source.key]!.trim() : '';
  if (!/^[\x21-\x7e]+$/.test(value)) {
    throw new NotAccepted('SecretKeyMissing', `${field}: Secret ${source.name} has no API key under ${source.key}.`);
  }
  if (value.length > MAX_KEY_LENGTH) {
    const message = `${field}: Secret ${source.name} has more than ${MAX_KEY_LENGTH} characters under ${source.key}, the most that an API key may have. Store the key alone.`;
    throw new NotAccepted('SecretKeyMissing', message);
  }
  return value;
}

function checkSecretNames({ metadata, spec }: ClaudeWorkspace, input: CompileInput): void {
  const taken = input.secretConflicts.get(refOf(metadata)) ?? [];
  if (taken.length > 0) {
    const message = `spec.keys: Secret ${taken.toSorted().join(', ')} exists and was not made for this key. Choose another secretName.`;
    throw new NotAccepted('SecretConflict', message);
  }
  const owners = new Map<string, string>();
  for (const { name, secretName } of spec.keys) {
    const other = owners.get(secretName);
    if (other !== undefined) {
      const message = `spec.keys: keys ${other} and ${name} both name Secret ${secretName}. Give each its own secretName.`;
      throw new NotAccepted('SecretConflict', message);
    }
    owners.set(secretName, name);
  }
  const upstream = spec.upstream.apiKeySecretRef.name;
  const key = owners.get(upstream);
  if (key !== undefined) {
    const message = `spec.keys: key ${key} names Secret ${upstream}, which holds the upstream's key. Choose another secretName.`;
    throw new NotAccepted('SecretConflict', message);
  }
}

function credentialsOf(own: OwnPart, source: Source, input: CompileInput): Credentials {
  const hashes = input.callerKeys.get(refOf(own)) ?? {};
  const keys = own.keys.flatMap(({ name }) => (Object.hasOwn(hashes, name) ? [[name, hashes[name]!] as const] : []));
  const allowed = allowsUpstream(input.settings, own.baseURL);
  const key = validateResource(() => upstreamKey(own.namespace, source, input)).compiled;
  return { upstreamKey: allowed ? key : null, upstreamSecret: source, keys: Object.fromEntries(keys) };
}

export function ownPartOf(workspace: CompiledWorkspace): OwnPart {
  const { version: _v, budgets: _b, spanning: _s, prices: _p, names: _n, credentials: _c, ...own } = workspace;
  return own;
}
