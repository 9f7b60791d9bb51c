import type { KubeObject } from '../kube/object.ts';
import type { Listeners, Informers } from './cluster/informers.ts';
import type { ConfigMap, Secret } from './cluster/kube-kinds.ts';
import type { Announcer } from './events/announcer.ts';
import { workspaceNameOf } from './policy/key-secret.ts';
import type { KeysReconciler } from './policy/keys-reconciler.ts';
import type { PriceBookSource } from './policy/price-book-source.ts';
import type { ShardStore } from './policy/shard-store.ts';
import type { StatusPlanner } from './status/status-planner.ts';
import type { WorkQueues } from './work-queues.ts';

interface Triggered {
  readonly world: Pick<Informers, 'workspaces'>;
  readonly schedule: Pick<WorkQueues, 'workspace' | 'policy' | 'report'>;
  readonly keys: Pick<KeysReconciler, 'conflicts' | 'secretsChanged'>;
  readonly store: Pick<ShardStore, 'take'>;
  readonly prices: PriceBookSource;
  readonly statuses: Pick<StatusPlanner, 'forget'>;
  readonly announcer: Announcer;
  readonly mayAct: () => boolean;
}

/** Which change concerns whom. `parts` is asked when something changes, not before. */
export function triggers(parts: () => Triggered): Listeners {
  return {
    // The operator's own writes of status change nothing that it reads.
    workspaces: (ref, now, before) => {
      if (!isEdit(now, before)) return;
      parts().schedule.workspace(ref);
      if (now === undefined) parts().statuses.forget(before?.metadata.uid ?? '');
      lookAtConflicts(parts(), now ?? before);
    },
    budgets: (_ref, now, before) => {
      if (!isEdit(now, before)) return;
      if (now === undefined) parts().statuses.forget(before?.metadata.uid ?? '');
      parts().schedule.policy();
    },
    namespaces: (_name, now, before) => {
      if (JSON.stringify(now?.metadata.labels) !== JSON.stringify(before?.metadata.labels)) parts().schedule.policy();
    },
    upstreamSecrets: (_ref, now, before) => {
      const { namespace, name } = (now ?? before)!.metadata;
      for (const { metadata, spec } of parts().world.workspaces.values()) {
        const isNamed = metadata.namespace === namespace && spec.upstream.apiKeySecretRef.name === name;
        if (isNamed) parts().schedule.workspace(`${namespace}/${metadata.name}`);
      }
    },
    keySecrets: (_ref, now, before) => {
      const secret = (now ?? before)!;
      parts().keys.secretsChanged();
      parts().schedule.workspace(`${secret.metadata.namespace}/${workspaceNameOf(secret)}`);
      lookAtConflicts(parts(), secret);
    },
    endpoints: () => parts().schedule.report(),
    prices: (_ref, now) => takePrices(parts(), now),
    memory: () => parts().schedule.report(),
    shard: (_ref, now, before) => {
      const { name } = (now ?? before)!.metadata;
      if (parts().store.take(name, now)) parts().schedule.policy();
    },
  };
}

function isEdit(now: KubeObject | undefined, before: KubeObject | undefined): boolean {
  return now?.metadata.generation !== before?.metadata.generation;
}

/** A name that was taken may be free now. */
function lookAtConflicts({ keys, schedule }: Triggered, changed: Pick<Secret, 'metadata'> | undefined): void {
  for (const ref of keys.conflicts.keys()) {
    if (ref.startsWith(`${changed?.metadata.namespace}/`)) schedule.workspace(ref);
  }
}

function takePrices({ prices, schedule, announcer, mayAct }: Triggered, now: ConfigMap | undefined): void {
  prices.take(now);
  schedule.policy();
  if (now === undefined || !mayAct()) return;
  if (prices.problem === undefined) announcer.pricesAccepted(now);
  else announcer.pricesRejected(now, prices.problem);
}
