/**
 * Where a ledger lives in Redis. All keys of an installation share one hash tag, so that every operation is one script;
 * the scripts take the prefix as their only key and append:
 *
 *     :ledger                hash    epoch, sequence, sweepPausedUntil; runId (of the server on which it was last in
 *                                    force), timeline and the sequence at which it began (timelineStart); recovering
 *                                    (since when, ms), deep (why replay logs do not suffice), hadMissing (a session's
 *                                    change was lost); and for each living gateway `@<incarnation>`: the number of its
 *                                    last change in the timeline that it has joined
 *     :lastChange:@<incarnation>  string  the same number after it was unregistered; expires after RETENTION_MS
 *     :recovery              hash    incarnation → expected or replayed, during a recovery
 *     :counter:<counter>     hash    the pool, with `per` all values together: s spent, f certain, c committed, g gaps
 *                                    of calls in flight, n requests, x refused, w wouldRefuse, e the cap at which it
 *                                    was exhausted, l the worst case of the call that was last too large, k what people
 *                                    have corrected (taken out of s; negative: added to it); of a spanning
 *                                    budget also r:<name> what a workspace or namespace has in flight, m the last two
 *                                    namespaces with a call that waits, each with until when, and m:<namespace> the same
 *                                    for its workspaces
 *     :counter:<counter>#<v> hash    the same for one value, while it holds money; o the namespace whose call made it, if
 *                                    not the budget's. `…` or `…<workspace>` for the values without one of their own
 *     :values:<counter>      zset    the values that have a counter, by spent (for ordering only)
 *     :exhausted:<counter>   set     the values that are exhausted
 *     :valueCounts:<namespace>  hash counter → how many places its values that the namespace's calls made take; '' → all
 *     :valuePools:<namespace>   zset the same counters, by when their values expire
 *     :open:<incarnation>    hash    call id → lease (cmsgpack, scripts/shared/leases.lua)
 *     :tombstone:<call id>   string  expires after TOMBSTONE_MS, of an unchecked call after RETENTION_MS
 *     :presumed              hash    call id → lease of a swept call, or of what a settle left presumed
 *     :booked                hash    call id → lease of a call that was resolved without its cost: a late settle corrects it
 *     :presumedSince         zset    presumed call ids by since when
 *     :presumedUntil         zset    presumed and booked call ids by when their last counter expires
 *     :presumedRelease       zset    ids of calls whose presumed rest is released by itself, by when
 *     :batches               hash    batch → cmsgpack of call id, workspace, meta, settled lines, lease, uids of the
 *                                    workspace and of its namespace
 *     :batch:<batch>         string  0 or 1 (all of it is settled), and after it the owner: workspace, its uid and that of
 *                                    its namespace, with spaces between; expires after BATCH_OWNER_TTL_MS
 *     :files:<uids>          zset    ids of the files of the workspace with these uids (of its namespace, of itself), by
 *                                    when they were uploaded; expires FILES_TTL_MS after the last upload
 *     :beats  :reports       zset, hash    incarnation by its last heartbeat; its report
 *     :fences                hash    workspace → the lowest version that is still admitted; '' → that of a workspace
 *                                    without one: the highest that was forgotten
 *     :usage                 stream  `record`: JSON, one for each settled or presumed call; `counters`: when its
 *                                    counters expire and their full names, a line each
 *     :refusals              stream  `row`: JSON; about MAX_REFUSAL_ROWS
 */

export function keyPrefix(installation: string): string {
  return `{tollgate:${installation}}`;
}
