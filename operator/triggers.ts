import type { KubeObject } from '../kube/object.ts';
import type { Announcer } from './announcer.ts';
import type { Keys } from './keys.ts';
import { workspaceNameOf } from './keysecret.ts';
import type { Prices } from './prices.ts';
import type { ConfigMap, Secret } from './resources.ts';
import type { Schedule } from './schedule.ts';
import type { ShardStore } from './shardstore.ts';
import type { Statuses } from './statuses.ts';
import type { Listeners, World } from './world.ts';

interface Triggered {
  readonly world: Pick<World, 'workspaces'>;
  readonly schedule: Pick<Schedule, 'workspace' | 'policy' | 'report'>;
  readonly keys: Pick<Keys, 'conflicts' | 'secretsChanged'>;
  readonly store: Pick<ShardStore, 'take'>;
  readonly prices: Prices;
  readonly statuses: Pick<Statuses, 'forget'>;
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
