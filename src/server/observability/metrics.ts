/** A server's Prometheus metrics. Labels are closed sets, except the tenants of tokens. */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { TenantLabels } from './tenant-labels.js';

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
  /** Observes how long a message or an answer was on its way. */
  observeTransfer(method: string, direction: 'receive' | 'send', seconds: number): void;
  /** Registers gauges, read from `source` at each scrape. */
  addGauges<Key extends string>(table: GaugeTable<Key>, source: () => Readonly<Record<NoInfer<Key>, number>>): void;
  /** Registers gauges with one series for each label of `source`, read at each scrape. */
  addLabelledGauges<Key extends string>(label: string, table: GaugeTable<Key>, source: () => Promise<LabelledValues<Key>>): void;
  /** Registers a histogram; gives what observes a value. */
  addHistogram<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
    buckets: readonly number[],
  ): (labels: Readonly<Record<Label, string>>, value: number) => void;
  /** The label of a tenant; the tenants beyond a bound share one. */
  tenantLabel(tenant: string): string;
  /** Prometheus's text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

const callSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Makes a separate registry. @param process also serve Node's own metrics */
export function createCallMetrics({ process = true }: { readonly process?: boolean } = {}): CallMetrics {
  const registry = new Registry();
  const registers = [registry];
  const tenants = new TenantLabels();
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
    buckets: callSeconds,
    registers,
  });
  const transfer = new Histogram({
    name: 'cutlayer_transfer_seconds',
    help: 'Time from the admission of a call to its whole message, and from its answer to the end of the stream.',
    labelNames: ['method', 'direction'],
    buckets: callSeconds,
    registers,
  });
  return {
    observeTransfer: (method, direction, value) => transfer.observe({ method, direction }, value),
    observeCall({ method, tenant: of, code, ...call }) {
      const tenant = tenants.of(of);
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
    addHistogram(name, help, labelNames, buckets) {
      const histogram = new Histogram({ name, help, labelNames: [...labelNames], buckets: [...buckets], registers });
      return (labels, value) => histogram.observe(labels, value);
    },
    tenantLabel: (tenant) => tenants.of(tenant),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
