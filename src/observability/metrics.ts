/** The gateway's metrics in Prometheus's format. Labels are closed sets, but for the tenant, whose names the vendor hands out. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** One call that has ended. */
export interface CallObservation {
  readonly method: string;
  /** Empty when the caller was not authenticated. */
  readonly tenant: string;
  /** `OK`, a key of the error table, or `TRANSPORT` when the connection ended the call. */
  readonly code: string;
  readonly seconds: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Rows that went through the backbone. */
  readonly rows: number;
}

/** What is read at each scrape. */
export interface GatewayGauges {
  readonly inFlightCalls: number;
  readonly queuedJobs: number;
  readonly runningJobs: number;
  readonly keptSteps: number;
  readonly residualBytes: number;
  readonly inputBytes: number;
  readonly evictedResiduals: number;
  readonly evictedInputs: number;
  readonly recomputes: number;
  readonly workerRestarts: number;
}

/** Where the gateway reports, and what `/metrics` serves. */
export interface GatewayMetrics {
  observeCall(call: CallObservation): void;
  /** Registers the source of the gauges; until then they are not served. */
  readGaugesFrom(source: () => GatewayGauges): void;
  /** The text exposition. */
  text(): Promise<string>;
  readonly contentType: string;
}

const gaugeHelp: Readonly<Record<keyof GatewayGauges, readonly [name: string, help: string]>> = {
  inFlightCalls: ['cutlayer_in_flight_calls', 'Calls admitted and not yet answered.'],
  queuedJobs: ['cutlayer_queued_jobs', 'Jobs that wait for a worker.'],
  runningJobs: ['cutlayer_running_jobs', 'Jobs that a worker is at.'],
  keptSteps: ['cutlayer_kept_steps', 'Steps whose inputs or residuals are held.'],
  residualBytes: ['cutlayer_residual_bytes', 'Memory held by residuals between forward and backward.'],
  inputBytes: ['cutlayer_input_bytes', 'Memory held by the inputs of steps.'],
  evictedResiduals: ['cutlayer_evicted_residuals', 'Steps whose residuals had to make room; their backward computes them again.'],
  evictedInputs: ['cutlayer_evicted_inputs', 'Steps that had to make room altogether; their client sends them again.'],
  recomputes: ['cutlayer_recomputes', 'Backwards that ran the forward again.'],
  workerRestarts: ['cutlayer_worker_restarts', 'Worker threads restarted after a crash.'],
};

/** Makes a registry of its own; nothing global is touched. @param process also serve Node's own metrics */
export function createGatewayMetrics({ process = true }: { readonly process?: boolean } = {}): GatewayMetrics {
  const registry = new Registry();
  const registers = [registry];
  if (process) collectDefaultMetrics({ register: registry });
  const calls = new Counter({
    name: 'cutlayer_calls_total',
    help: 'Calls by outcome.',
    labelNames: ['method', 'tenant', 'code'],
    registers,
  });
  const received = new Counter({
    name: 'cutlayer_received_bytes_total',
    help: 'Request bytes.',
    labelNames: ['method', 'tenant'],
    registers,
  });
  const sent = new Counter({ name: 'cutlayer_sent_bytes_total', help: 'Answer bytes.', labelNames: ['method', 'tenant'], registers });
  const rows = new Counter({
    name: 'cutlayer_rows_total',
    help: 'Rows through the backbone.',
    labelNames: ['method', 'tenant'],
    registers,
  });
  const seconds = new Histogram({
    name: 'cutlayer_call_seconds',
    help: 'Time from admission to answer.',
    labelNames: ['method'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  });
  return {
    observeCall({ method, tenant, code, ...call }) {
      calls.inc({ method, tenant, code });
      received.inc({ method, tenant }, call.bytesIn);
      sent.inc({ method, tenant }, call.bytesOut);
      rows.inc({ method, tenant }, call.rows);
      seconds.observe({ method }, call.seconds);
    },
    readGaugesFrom(source) {
      for (const key of Object.keys(gaugeHelp) as (keyof GatewayGauges)[]) {
        const [name, help] = gaugeHelp[key];
        new Gauge({
          name,
          help,
          registers,
          collect() {
            this.set(source()[key]);
          },
        });
      }
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
