import { UsageReports } from '../../policy/prices/usage-reports.ts';
import { readUsage, type Usage } from '../../policy/prices/usage.ts';

/** The usage of a stream whose message_start says `start`, and whose later events say `reports`. */
export function streamedUsage(start: unknown, ...reports: readonly unknown[]): Usage {
  const all = new UsageReports();
  all.begin(start);
  for (const report of reports) all.add(report);
  return all.read() ?? readUsage(null);
}
