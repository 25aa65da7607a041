/** Counts what a gateway does, and keeps its history while it runs. */
import type { CallMetrics, CallObservation } from '../../server/observability/metrics.js';
import type { WorkCounts } from '../work-metrics.js';
import type { LoadNow } from './load-answer.js';
import { type CountedName, LoadHistory, spans } from './load-history.js';

/** Tells the state of this moment. */
export type ReadNow = () => LoadNow;

/** What kind of rows each run computes. */
const rowsOf = { forward: 'forward', vjp: 'backward', keyValues: 'forward', decode: 'decoded' } as const;

/** The counts and the history. */
export class LoadMonitor implements WorkCounts {
  readonly #counts: Record<CountedName, number> = {
    forward: 0,
    backward: 0,
    decoded: 0,
    answered: 0,
    refused: 0,
    bytesIn: 0,
    bytesOut: 0,
  };
  readonly #now: () => number;
  readonly history: LoadHistory;
  #timer: NodeJS.Timeout | undefined;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
    this.history = new LoadHistory(now(), { ...this.#counts });
  }

  readonly countRows: WorkCounts['countRows'] = (op, rows) => {
    this.#counts[rowsOf[op]] += rows;
  };

  /** Metrics that count here too. */
  counted(metrics: CallMetrics): CallMetrics {
    return {
      ...metrics,
      observeCall: (call) => {
        this.#countCall(call);
        metrics.observeCall(call);
      },
    };
  }

  /** Takes points from now on. */
  begin(read: ReadNow): void {
    this.#timer = setInterval(() => this.take(read()), spans.hour.stepMs).unref();
  }

  /** Takes the state of this moment. */
  take({ inFlightCalls, openStreams, queued, callBytes, workBytes, keptBytes, decodeSessions }: LoadNow): void {
    const amounts = { inFlight: inFlightCalls + openStreams, queued, memoryBytes: callBytes + workBytes + keptBytes, decodeSessions };
    this.history.take(this.#now(), { ...this.#counts }, amounts);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #countCall({ code, bytesIn, bytesOut }: CallObservation): void {
    this.#counts[code === 'OK' ? 'answered' : 'refused'] += 1;
    this.#counts.bytesIn += bytesIn;
    this.#counts.bytesOut += bytesOut;
  }
}
