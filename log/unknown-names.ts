import type { ReadQuery } from './database/database.ts';

/** A name that neither this version nor the list of harmless names knows. */
export interface UnknownName {
  readonly name: string;
  readonly calls: number;
  /** `namespace/name` of the workspace that sent it most often. */
  readonly workspace: string;
  /** How many workspaces sent it. */
  readonly workspaces: number;
}

/** So many names are more than a person looks at. */
const MOST = 100;

/** The names that calls since an instant (milliseconds) had, the most frequent first. Throws `LogUnreachable`. */
export async function countUnknownNames(query: ReadQuery, since: number): Promise<readonly UnknownName[]> {
  return query<UnknownName>(
    `with seen as (
       select name, workspace, count(*) as calls from calls,
         jsonb_array_elements_text((details->>'unknown')::jsonb->'names') as name
       where time >= to_timestamp(${since / 1000}) and details ? 'unknown' group by 1, 2
     )
     select name, sum(calls)::int as calls, count(*)::int as workspaces,
       (array_agg(workspace order by calls desc, workspace))[1] as workspace
     from seen group by name order by calls desc, name limit ${MOST}`,
  );
}
