/** A server's Prometheus metrics. Labels are closed sets, except the tenants of tokens. */
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

/** Name and help text of each gauge. */
export type GaugeTable<Key extends string> = Readonly<Record<Key, readonly [name: string, help: string]>>;

/** Values of gauges by label; a gauge without a value for a label is left out. */
export type LabelledValues<Key extends string> = ReadonlyMap<string, Readonly<Partial<Record<Key, number>>>>;

/** The metrics of a server. */
export interface CallMetrics {
  observeCall(call: CallObservation): void;
  /** Registers gauges, read from `source` at each scrape. */
  addGauges<Key extends string>(table: GaugeTable<Key>, source: () => Readonly<Record<NoInfer<Key>, number>>): void;
  /** Registers gauges with one series for each label of `source`, read at each scrape. */
  addLabelledGauges<Key extends string>(label: string, table: GaugeTable<Key>, source: () => Promise<LabelledValues<Key>>): void;
  /** Prometheus's text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** Makes a separate registry. @param process also serve Node's own metrics */
export function createCallMetrics({ process = true }: { readonly process?: boolean } = {}): CallMetrics {
  const registry = new Registry();
  const registers = [registry];
  if (process) collectDefaultMetrics({ register: registry });
  const counter = (name: string, help: string, ...labels: readonly string[]): Counter =>
    new Counter({ name: `cutlayer_${name}_total`, help, labelNames: ['method', 'tenant', ...labels], registers });
  const calls = counter('calls', 'Calls by outcome.', 'code');
  const received = counter('received_bytes', 'Request bytes.');
  const sent = counter('sent_bytes', 'Answer bytes.');
  const rows = counter('rows', 'Rows through the backbone.');
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
    addGauges<Key extends string>(table: GaugeTable<Key>, source: () => Readonly<Record<NoInfer<Key>, number>>) {
      for (const key of Object.keys(table) as Key[]) {
        const [name, help] = table[key];
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
    addLabelledGauges<Key extends string>(label: string, table: GaugeTable<Key>, source: () => Promise<LabelledValues<Key>>) {
      for (const key of Object.keys(table) as Key[]) {
        const [name, help] = table[key];
        new Gauge({
          name,
          help,
          labelNames: [label],
          registers,
          async collect() {
            this.reset();
            for (const [of, values] of await source()) {
              const value = values[key];
              if (value !== undefined) this.set({ [label]: of }, value);
            }
          },
        });
      }
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
