/**
 * Reads the federations of a coordinator from its `/metrics`: numbers by id, no names. A gateway is
 * no part of a federation and knows of none; an operator who runs both names the coordinator.
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
import { CutlayerError } from '../../errors.js';
import type { ShownFederation } from './federations-answer.js';

/** Gauges of a coordinator (docs/coordinator.md), by the fields that show them. */
const gaugeOf = {
  round: 'cutlayer_federation_round',
  cohort: 'cutlayer_federation_cohort',
  released: 'cutlayer_federation_released_rounds',
  aborted: 'cutlayer_federation_aborted_rounds',
  promoted: 'cutlayer_federation_promoted_version',
  loss: 'cutlayer_federation_promoted_loss',
  epsilon: 'cutlayer_federation_epsilon',
  maxEpsilon: 'cutlayer_federation_max_epsilon',
} as const satisfies Readonly<Partial<Record<keyof ShownFederation, string>>>;

const RUNNING = 'cutlayer_federation_running';
const TIMEOUT_MS = 3000;
const MAX_BYTES = 4 * 2 ** 20;
/** Federations that are shown. */
const MOST = 100;
const LINE = /^(cutlayer_federation_\w+)\{federation="([^"\\]{1,200})"\} (\S+)$/;

/** @throws CutlayerError UNAVAILABLE saying why */
export async function coordinatorFederations(coordinator: string): Promise<readonly ShownFederation[]> {
  return parseFederations(await textOf(new URL('/metrics', coordinator)));
}

/** The federations of a text of metrics, by id. */
export function parseFederations(text: string): readonly ShownFederation[] {
  const found = new Map<string, Map<string, number>>();
  for (const line of text.split('\n')) {
    const [, gauge, id, value] = LINE.exec(line) ?? [];
    if (gauge === undefined || id === undefined || !Number.isFinite(Number(value))) continue;
    const values = found.get(id) ?? new Map<string, number>();
    if (found.size >= MOST && !found.has(id)) continue;
    found.set(id, values.set(gauge, Number(value)));
  }
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, values]) => ({
      id,
      running: values.get(RUNNING) === 1,
      ...(Object.fromEntries(Object.entries(gaugeOf).map(([field, gauge]) => [field, values.get(gauge) ?? null])) as Record<
        keyof typeof gaugeOf,
        number | null
      >), // one of each field
    }));
}

async function textOf(url: URL): Promise<string> {
  try {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok || response.body === null) throw new Error(`it answers ${response.status}`);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) throw new Error(`its metrics are more than ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch (cause) {
    throw new CutlayerError('UNAVAILABLE', `coordinator: ${reasonOf(cause)}`, { cause });
  }
}

/** What went wrong, without the address: the page shows it beside the reason. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'it cannot be reached';
  if (cause.name === 'TimeoutError') return `it does not answer within ${TIMEOUT_MS / 1000} s`;
  const { code } = (cause.cause ?? {}) as { readonly code?: unknown };
  if (typeof code !== 'string') return cause.message === 'fetch failed' ? 'it cannot be reached' : cause.message;
  const certificate = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code);
  return certificate ? `its certificate is not trusted (${code}); name its CA in NODE_EXTRA_CA_CERTS` : `it cannot be reached (${code})`;
}
