/**
 * Where the time of a training step goes, so that the parts add up to the step. The client's parts
 * are timed around its calls, the gateway's come from its metrics before and after the step. A step
 * has one batch: batches that overlap make `rest` less than nothing.
 */
import type { ClientBundle, TrainingClient } from '../clients/typescript/index.js';
import { metricsOf, seriesOf } from './gateway-metrics.js';
import { elapsedMs, type Work } from './paired.js';
import type { Report } from './report.js';

/** The parts of a step in the order of a step, in milliseconds. */
export const stepParts = ['embedding', 'gateway forward', 'head and loss', 'gateway vjp', 'optimizer', 'wire', 'wait', 'rest'] as const;

/** Milliseconds of each part. `wire` is what is left of the calls without graphs and queue. */
export type StepParts = Readonly<Record<(typeof stepParts)[number], number>>;

/** What the client's clock measures, in milliseconds. */
export type ClientTimes = Record<'embedding' | 'headAndLoss' | 'optimizer' | 'calls', number>;

/** What a gateway has spent on runs of steps since its start, in milliseconds. */
export type GatewayTimes = Readonly<Record<'wait' | 'forward' | 'vjp', number>>;

/** The parts of a step; they add up to `stepMs`. */
export function partsOf(stepMs: number, client: Readonly<ClientTimes>, gateway: GatewayTimes): StepParts {
  const { embedding, headAndLoss, optimizer, calls } = client;
  const { wait, forward, vjp } = gateway;
  return {
    embedding,
    'gateway forward': forward,
    'head and loss': headAndLoss,
    'gateway vjp': vjp,
    optimizer,
    wire: calls - wait - forward - vjp,
    wait,
    rest: stepMs - embedding - headAndLoss - optimizer - calls,
  };
}

/** The times in a gateway's metrics. */
export function gatewayTimes(metrics: string): GatewayTimes {
  const sum = (name: string, labels?: Readonly<Record<string, string>>): number =>
    1000 * seriesOf(metrics, name, labels).reduce((total, value) => total + value, 0);
  return {
    wait: sum('cutlayer_queue_seconds_sum'),
    forward: sum('cutlayer_compute_seconds_sum', { op: 'forward' }),
    vjp: sum('cutlayer_compute_seconds_sum', { op: 'vjp' }),
  };
}

/** Times the steps of one client, whose gateway has no other work. */
export class StepClock {
  readonly #admin: string;
  readonly #times: ClientTimes = { embedding: 0, headAndLoss: 0, optimizer: 0, calls: 0 };

  /** Wraps the client's methods. @param admin host:port of the gateway's admin port */
  constructor(client: TrainingClient, bundle: ClientBundle, admin: string) {
    this.#admin = admin;
    bundle.inputsEmbeds = this.#timed('embedding', bundle.inputsEmbeds.bind(bundle));
    bundle.losses = this.#timed('headAndLoss', bundle.losses.bind(bundle));
    client.optimStep = this.#timed('optimizer', client.optimStep.bind(client));
    const { remote } = client.model;
    const forward = this.#timed('calls', remote.forward.bind(remote));
    remote.forward = async (input) => {
      const step = await forward(input);
      return { ...step, backward: this.#timed('calls', step.backward) };
    };
  }

  /** Runs a step; gives its parts. Asking for the metrics takes no time of it. */
  async parts(step: Work): Promise<StepParts> {
    const before = gatewayTimes(await metricsOf(this.#admin));
    Object.assign(this.#times, { embedding: 0, headAndLoss: 0, optimizer: 0, calls: 0 });
    const stepMs = await elapsedMs(step);
    const after = gatewayTimes(await metricsOf(this.#admin));
    const spent = { wait: after.wait - before.wait, forward: after.forward - before.forward, vjp: after.vjp - before.vjp };
    return partsOf(stepMs, this.#times, spent);
  }

  #timed<A extends unknown[], R>(part: keyof ClientTimes, work: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
    return async (...args) => {
      const start = performance.now();
      try {
        return await work(...args);
      } finally {
        this.#times[part] += performance.now() - start;
      }
    };
  }
}

/** Means of the parts over some steps, as rows that add up to the step, which is the last row. */
export function addParts(report: Report, title: string, steps: readonly StepParts[]): void {
  const means = stepParts.map((part) => steps.reduce((sum, step) => sum + step[part], 0) / steps.length);
  const step = means.reduce((sum, mean) => sum + mean, 0);
  for (const [at, part] of stepParts.entries())
    report.add(`  ${part}, ${title}`, means[at]!, 'ms', { baseline: 'the step', ratio: means[at]! / step });
  report.add(`  sum of the parts: a step, ${title}`, step, 'ms');
}
