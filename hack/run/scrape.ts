/** What a scraper of the local system shows. Only this machine reaches it. */
export const METRICS_TOKEN = 'metrics-of-this-machine';

/** The metrics of a gateway or an operator of the local system, or of a test. */
export async function scrape(url: string): Promise<string> {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${METRICS_TOKEN}` } });
  if (!answer.ok) throw new Error(`${url}/metrics answered ${answer.status}`);
  return answer.text();
}
