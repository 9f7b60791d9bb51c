import { type CompiledBudget, type CompiledKey, type CompiledWorkspace, keysOf } from '../core/compiled-policy.ts';
import { claimableAttributes, isSetByCaller } from '../core/matching.ts';

/** What the calls that a budget applies to can be: by which keys, with which attributes. */
export interface PossibleCalls {
  /** The names of the keys, as far as a budget may look at them. */
  readonly keys: readonly string[];
  /** The attributes that credentials fix or callers set. */
  readonly attributes: readonly string[];
  readonly valuesOf: (attribute: string) => PossibleValues;
}

export interface PossibleValues {
  /** What credentials, or in a spanning budget the platform, fix; '' where a call lacks the attribute. */
  readonly fixed: ReadonlySet<string>;
  /** Whether some calls can have any value, because callers or tenants choose it. */
  readonly isOpen: boolean;
}

/** The calls of the workspaces that a budget applies to. */
export function possibleCalls(
  { spanning }: Pick<CompiledBudget, 'spanning'>,
  workspaces: readonly CompiledWorkspace[],
): PossibleCalls {
  const [workspace] = workspaces;
  if (spanning !== undefined || workspace === undefined) return callsOfAll(workspaces);
  return callsOf(workspace);
}

function callsOf(workspace: CompiledWorkspace): PossibleCalls {
  const keys = keysOf(workspace);
  const fixed = keys.flatMap(({ attributes }) => Object.keys(attributes));
  return {
    keys: keys.map(({ name }) => name),
    attributes: [...new Set([...fixed, ...claimableAttributes(workspace)])],
    valuesOf: (attribute) => {
      const isOpen = (key: CompiledKey) => isSetByCaller(workspace, key, attribute);
      return {
        fixed: new Set(keys.filter((key) => !isOpen(key)).map((key) => key.attributes[attribute] ?? '')),
        isOpen: keys.some(isOpen),
      };
    },
  };
}

/** Of a spanning budget, which looks only at what the platform fixes. */
function callsOfAll(workspaces: readonly CompiledWorkspace[]): PossibleCalls {
  const fixed = workspaces.map(({ namespaceAttributes = {} }) => namespaceAttributes);
  return {
    keys: [],
    attributes: [...new Set(fixed.flatMap((one) => Object.keys(one)))],
    valuesOf: (attribute) => ({
      fixed: new Set(fixed.flatMap((one) => one[attribute] ?? [])),
      isOpen: fixed.some((one) => !Object.hasOwn(one, attribute)),
    }),
  };
}
