/** Histograms and spans of a gateway's work: waiting, computing, sizes of batches. */
import type { CallMetrics } from '../server/observability/metrics.js';
import { workSpan } from '../server/observability/traces.js';
import type { Decoder } from './decode/decoder.js';
import type { DecoderSource } from './decode/open-decoding.js';
import type { EngineRun } from './engine/engine.js';

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const rows = [1, 8, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384];
const lanes = [1, 2, 4, 8, 16, 32, 64];

/** What observes the work. */
export interface WorkMetrics {
  /** A run of a step has ended; called in the async context of its call. */
  readonly observeRun: (run: EngineRun) => void;
  /** A decoder whose turns are observed. */
  readonly observed: (source: DecoderSource) => DecoderSource;
}

/** Told of work besides. */
export interface WorkCounts {
  /** Rows that were computed. */
  readonly countRows: (op: EngineRun['op'] | 'decode', rows: number) => void;
}

/** Registers the histograms. */
export function createWorkMetrics(metrics: Pick<CallMetrics, 'addHistogram' | 'tenantLabel'>, counts?: WorkCounts): WorkMetrics {
  const queue = metrics.addHistogram('cutlayer_queue_seconds', 'Time that a run of a step waited for its turn.', ['tenant'], seconds);
  const compute = metrics.addHistogram('cutlayer_compute_seconds', 'Time of a run in a worker.', ['op', 'tenant'], seconds);
  const batchRows = metrics.addHistogram('cutlayer_batch_rows', 'Rows of a run of a step.', ['op'], rows);
  const decode = metrics.addHistogram('cutlayer_decode_turn_seconds', 'Time of a turn of decoding.', [], seconds);
  const decodeLanes = metrics.addHistogram('cutlayer_decode_batch_sessions', 'Sessions of a turn of decoding.', [], lanes);
  return {
    observeRun({ op, tenant, rows: count, waitMs, computeMs, endedAt }) {
      const label = metrics.tenantLabel(tenant);
      queue({ tenant: label }, waitMs / 1000);
      compute({ op, tenant: label }, computeMs / 1000);
      batchRows({ op }, count);
      counts?.countRows(op, count);
      const startedAt = endedAt - computeMs;
      workSpan('queue', startedAt - waitMs, startedAt, {});
      workSpan('compute', startedAt, endedAt, { 'cutlayer.op': op, 'cutlayer.rows': count });
    },
    observed: (source) => ({ ...source, open: async () => observedDecoder(await source.open(), decode, decodeLanes, counts) }),
  };
}

type Observe = (labels: Readonly<Record<string, string>>, value: number) => void;

function observedDecoder(decoder: Decoder, turn: Observe, sessions: Observe, counts: WorkCounts | undefined): Decoder {
  const append: Decoder['append'] = async (appends) => {
    const from = performance.now();
    try {
      const rows = await decoder.append(appends);
      counts?.countRows(
        'decode',
        appends.reduce((sum, { rows: { shape } }) => sum + (shape[0] ?? 0), 0),
      );
      return rows;
    } finally {
      turn({}, (performance.now() - from) / 1000);
      sessions({}, appends.length);
    }
  };
  // All else is the decoder's own, called on it.
  return new Proxy(decoder, {
    get(target, name) {
      if (name === 'append') return append;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
