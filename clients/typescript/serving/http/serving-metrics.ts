/** The endpoint's Prometheus metrics. Labels are closed sets: endpoints, statuses, model names. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** A request that has ended. */
export interface EndedRequest {
  readonly endpoint: string;
  readonly status: number;
  readonly seconds: number;
}

/** Tokens of an answer. */
export interface TokenCounts {
  readonly model: string;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** What is read at each scrape. */
export interface ServingGauges {
  readonly running: number;
  readonly waiting: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly retries: number;
}

const gaugeTexts: Readonly<Record<keyof ServingGauges, readonly [name: string, help: string]>> = {
  running: ['cutlayer_serve_running_requests', 'Requests that run.'],
  waiting: ['cutlayer_serve_waiting_requests', 'Requests that wait for their turn.'],
  bytesUp: ['cutlayer_serve_gateway_sent_bytes', 'Tensor bytes sent to the gateway since the start.'],
  bytesDown: ['cutlayer_serve_gateway_received_bytes', 'Tensor bytes received from the gateway since the start.'],
  retries: ['cutlayer_serve_gateway_retries', 'Calls to the gateway that were repeated since the start.'],
};

export class ServingMetrics {
  readonly #registry = new Registry();
  readonly #seconds = new Histogram({
    name: 'cutlayer_serve_request_seconds',
    help: 'Time of a request, waiting included.',
    labelNames: ['endpoint', 'status'],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300],
    registers: [this.#registry],
  });
  readonly #firstToken = new Histogram({
    name: 'cutlayer_serve_first_token_seconds',
    help: 'Time from the turn of a request to its first token.',
    labelNames: ['model'],
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [this.#registry],
  });
  readonly #tokens = new Counter({
    name: 'cutlayer_serve_tokens_total',
    help: 'Tokens of prompts and of answers.',
    labelNames: ['model', 'kind'],
    registers: [this.#registry],
  });

  /** @param gauges Read at each scrape. */
  constructor(gauges: () => ServingGauges) {
    for (const key of Object.keys(gaugeTexts) as (keyof ServingGauges)[]) {
      const [name, help] = gaugeTexts[key];
      const collect = function (this: Gauge) {
        this.set(gauges()[key]);
      };
      new Gauge({ name, help, registers: [this.#registry], collect });
    }
  }

  observeRequest({ endpoint, status, seconds }: EndedRequest): void {
    this.#seconds.observe({ endpoint, status: String(status) }, seconds);
  }

  observeFirstToken(model: string, seconds: number): void {
    this.#firstToken.observe({ model }, seconds);
  }

  countTokens({ model, promptTokens, completionTokens }: TokenCounts): void {
    this.#tokens.inc({ model, kind: 'prompt' }, promptTokens);
    this.#tokens.inc({ model, kind: 'completion' }, completionTokens);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Prometheus's text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
