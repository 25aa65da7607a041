/** The gauges of a gateway, read at each scrape. */
import type { GaugeTable } from '../server/observability/metrics.js';
import type { EngineStats } from './engine/engine.js';

/** Gauges by their names in the engine's statistics. */
export const gatewayGauges = {
  queueLength: ['cutlayer_queued_jobs', 'Jobs that wait for a worker.'],
  running: ['cutlayer_running_jobs', 'Jobs that a worker is at.'],
  stepsHeld: ['cutlayer_kept_steps', 'Steps whose inputs or residuals are held.'],
  residualBytes: ['cutlayer_residual_bytes', 'Memory held by residuals between forward and backward.'],
  inputBytes: ['cutlayer_input_bytes', 'Memory held by the inputs of steps.'],
  memoryLimitBytes: ['cutlayer_memory_limit_bytes', 'Memory that calls, running jobs and kept steps may have together.'],
  callBytes: ['cutlayer_call_bytes', 'Memory held by messages and inputs of calls.'],
  workBytes: ['cutlayer_work_bytes', 'Memory that running jobs are counted with.'],
  displacedJobs: ['cutlayer_displaced_jobs', 'Waiting jobs whose place went to a lighter tenant; their clients send them again.'],
  refusedBySize: ['cutlayer_refused_by_size', 'Steps refused before they ran: too large for their time, or for the memory of one run.'],
  evictedResiduals: ['cutlayer_evicted_residuals', 'Steps whose residuals had to make room; their backward computes them again.'],
  evictedInputs: ['cutlayer_evicted_inputs', 'Steps that had to make room altogether; their client sends them again.'],
  residualHits: ['cutlayer_residual_hits', 'Runs of backward that found the residuals of their forward.'],
  recomputes: ['cutlayer_recomputes', 'Backwards that ran the forward again.'],
  decodeSessions: ['cutlayer_decode_sessions', 'Decode sessions whose keys and values are held.'],
  decodeBytes: ['cutlayer_decode_bytes', 'Memory reserved for their keys and values.'],
  decodeLimitBytes: ['cutlayer_decode_limit_bytes', 'Memory that they may have together.'],
  decodeWaiting: ['cutlayer_decode_waiting', 'Decode sessions whose rows wait for a turn.'],
  decodeCacheBytes: ['cutlayer_decode_cache_bytes', 'Memory of rows that are kept for the sessions of the same tenant.'],
  decodeCacheHits: ['cutlayer_decode_cache_hits', 'Appends of which rows were kept from an earlier session.'],
  decodeCachedRows: ['cutlayer_decode_cached_rows', 'Rows whose keys and values were copied instead of computed.'],
  evictedSessions: ['cutlayer_evicted_sessions', 'Decode sessions that had to make room; their clients replay them.'],
  expiredSessions: ['cutlayer_expired_sessions', 'Decode sessions that ended because nothing used them.'],
  workerRestarts: ['cutlayer_worker_restarts', 'Worker threads restarted after a crash.'],
} as const satisfies GaugeTable<string>;

/** The engine's statistics, with the hits among its runs of backward. */
export function engineCounts(stats: EngineStats): EngineStats & { readonly residualHits: number } {
  const { vjp, recompute } = stats.ops;
  return { ...stats, residualHits: Math.max(0, vjp.count - recompute.count) };
}
