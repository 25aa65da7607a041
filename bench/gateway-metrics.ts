/** Reads the metrics of a gateway's admin port, in the text format of Prometheus. */

const TIMEOUT_MS = 5000;

/** The text of all metrics. @param admin host:port of the admin port */
export async function metricsOf(admin: string): Promise<string> {
  const response = await fetch(`http://${admin}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  return response.text();
}

/** The values of all series of one name that have these labels. */
export function seriesOf(text: string, name: string, labels: Readonly<Record<string, string>> = {}): readonly number[] {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))]
    .filter(([, found = '']) => wanted.every((label) => found.split(',').includes(label)))
    .map(([, , value]) => Number(value));
}
