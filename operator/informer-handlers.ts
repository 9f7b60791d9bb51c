import type { ConfigMap } from '../kube/kinds.ts';
import type { KubeObject } from '../kube/object.ts';
import type { Ref } from '../policy/core/compiled-policy.ts';
import type { ChangeHandlers, Informers } from './cluster/informers.ts';
import type { OperatorEvents } from './events/operator-events.ts';
import type { CallerKeyIndex } from './keys/caller-key-index.ts';
import { workspaceNameOf } from './keys/key-secret.ts';
import type { OwnFile } from './policy/own-file.ts';
import type { ShardStore } from './policy/shard-store.ts';
import type { WorkQueues } from './work-queues.ts';

interface Reacting {
  readonly informers: Pick<Informers, 'workspaces'>;
  readonly queues: Pick<WorkQueues, 'addWorkspace' | 'addPolicy' | 'addStatus'>;
  readonly callerKeys: Pick<CallerKeyIndex, 'conflicts' | 'invalidate'>;
  readonly shards: Pick<ShardStore, 'take'>;
  readonly prices: Pick<OwnFile, 'take' | 'problem'>;
  readonly names: Pick<OwnFile, 'take' | 'problem'>;
  readonly operatorEvents: Pick<OperatorEvents, 'pricesAccepted' | 'namesAccepted' | 'fileRejected'>;
  /** Forgets what is kept of the status of a deleted object. */
  readonly forgetStatus: (uid: string) => void;
  /** Takes a budget or workspace whose status may have been changed by somebody else. */
  readonly seeStatus: (object: KubeObject) => void;
  readonly mayAct: () => boolean;
}

/** Which change of an object gives work to which queue. */
export function informerHandlers(reacting: Reacting): ChangeHandlers {
  const { informers, queues, callerKeys, shards, forgetStatus, seeStatus } = reacting;
  /** No reaction to writes of status, the operator's own and others': nothing that it reads has changed. */
  const onEdit = (react: (ref: Ref, object: KubeObject) => void) => {
    return (ref: Ref, now: KubeObject | undefined, before: KubeObject | undefined) => {
      if (now !== undefined) seeStatus(now);
      if (now?.metadata.generation === before?.metadata.generation) return;
      if (now === undefined) forgetStatus(before?.metadata.uid ?? '');
      react(ref, (now ?? before)!);
    };
  };
  return {
    workspaces: onEdit((ref, workspace) => {
      queues.addWorkspace(ref);
      retryConflicts(reacting, workspace);
    }),
    budgets: onEdit(() => queues.addPolicy()),
    namespaces: (_name, now, before) => {
      if (JSON.stringify(compiledOf(now)) !== JSON.stringify(compiledOf(before))) queues.addPolicy();
    },
    upstreamSecrets: (_ref, now, before) => {
      const { namespace, name } = (now ?? before)!.metadata;
      for (const { metadata, spec } of informers.workspaces.values()) {
        const isNamed = metadata.namespace === namespace && spec.upstream.apiKeySecretRef.name === name;
        if (isNamed) queues.addWorkspace(`${namespace}/${metadata.name}`);
      }
    },
    keySecrets: (_ref, now, before) => {
      const secret = (now ?? before)!;
      callerKeys.invalidate();
      queues.addWorkspace(`${secret.metadata.namespace}/${workspaceNameOf(secret)}`);
      retryConflicts(reacting, secret);
    },
    endpoints: () => queues.addStatus(),
    prices: (_ref, now) => take(reacting, reacting.prices, now, (own) => reacting.operatorEvents.pricesAccepted(own)),
    names: (_ref, now) => take(reacting, reacting.names, now, (own) => reacting.operatorEvents.namesAccepted(own)),
    checkpoint: () => queues.addStatus(),
    shard: (_ref, now, before) => {
      const { name } = (now ?? before)!.metadata;
      if (shards.take(name, now)) queues.addPolicy();
    },
  };
}

/** What is compiled of a namespace. */
function compiledOf(namespace: KubeObject | undefined): unknown {
  return [namespace?.metadata.uid, namespace?.metadata.labels];
}

/** A name of a Secret that was taken in this namespace may be free now. */
function retryConflicts({ callerKeys, queues }: Reacting, { metadata }: KubeObject): void {
  for (const ref of callerKeys.conflicts.keys()) {
    if (ref.startsWith(`${metadata.namespace}/`)) queues.addWorkspace(ref);
  }
}

/** Takes an administrator's file, or that there is none any more. */
function take(
  { queues, operatorEvents, mayAct }: Reacting,
  file: Reacting['prices'],
  now: ConfigMap | undefined,
  accepted: (own: ConfigMap) => void,
): void {
  file.take(now);
  queues.addPolicy();
  if (now === undefined || !mayAct()) return;
  if (file.problem === undefined) accepted(now);
  else operatorEvents.fileRejected(now, file.problem);
}
