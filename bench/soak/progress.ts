/** What a soak has measured so far: a line a minute, and one table at the end. */
import { residentBytes } from '../../test/support/process-memory.js';
import { median, quantile } from '../paired.js';
import type { Report } from '../report.js';
import { accountedBytes } from './accounted.js';

const SAMPLE_MS = 2000;
const MINUTE_MS = 60_000;
/** Caches and pools fill in this share of the minutes, which say nothing of growth. */
const FILLING = 1 / 2;

/** The steps of a part of the soak. */
interface Part {
  readonly name: string;
  readonly latenciesMs: number[];
  readonly failures: Map<string, number>;
}

/** Memory of the gateway, in bytes. */
interface Memory {
  /** Of its process, as Linux counts it. */
  readonly resident: number;
  /** What its budgets count. */
  readonly accounted: number;
}

/** The gateway that is measured. */
export interface MeasuredGateway {
  readonly pid: number;
  /** host:port of its admin port. */
  readonly admin: string;
}

/** Counts steps and samples the memory of the gateway's process, from `begin` to `end`. */
export class SoakProgress {
  readonly #gateway: MeasuredGateway;
  readonly #totalMs: number;
  readonly #parts: Part[] = [];
  /** Medians of each minute. */
  readonly #minutes: Memory[] = [];
  #samples: Memory[] = [];
  #ofMinute = { latenciesMs: [] as number[], failures: 0 };
  #began = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param totalMs how long the soak is to take */
  constructor(gateway: MeasuredGateway, totalMs: number) {
    this.#gateway = gateway;
    this.#totalMs = totalMs;
  }

  begin(): void {
    this.#began = performance.now();
    process.stdout.write('  minute  left   gateway MB  accounted   steps  failed  median ms   p99 ms  part\n');
    this.#timer = setInterval(() => void this.#sample(), SAMPLE_MS);
  }

  /** The steps that follow belong to this part. */
  part(name: string): void {
    this.#parts.push({ name, latenciesMs: [], failures: new Map() });
  }

  /** Counts a step; nothing before the first part. */
  step(ms: number): void {
    this.#parts.at(-1)?.latenciesMs.push(ms);
    this.#ofMinute.latenciesMs.push(ms);
  }

  failure(code: string): void {
    const failures = this.#parts.at(-1)?.failures;
    failures?.set(code, (failures.get(code) ?? 0) + 1);
    this.#ofMinute.failures++;
  }

  end(): void {
    clearInterval(this.#timer);
  }

  /** Adds the table: each part against the first one, and the memory over time. */
  report(report: Report, title: string): void {
    this.end();
    const [alone] = this.#parts as [Part];
    for (const part of this.#parts) {
      const { name, latenciesMs, failures } = part;
      const failed = [...failures.values()].reduce((sum, count) => sum + count, 0);
      const of = `${title}, ${name}`;
      report.add(`${of}: honest steps that succeed`, (100 * latenciesMs.length) / (latenciesMs.length + failed), '%');
      for (const [share, label] of quantiles) {
        const [value, before] = [quantile(latenciesMs, share), quantile(alone.latenciesMs, share)];
        const against = part === alone ? undefined : { baseline: `${before.toFixed(1)} ms alone`, ratio: value / before };
        report.add(`${of}: honest step, ${label}`, value, 'ms', against);
      }
      report.note(`${latenciesMs.length} steps ${name}; failures: ${JSON.stringify(Object.fromEntries(failures))}`);
    }
    const settled = this.#minutes.slice(Math.floor(FILLING * this.#minutes.length));
    if (settled.length < 2) {
      report.note('memory: too few minutes to tell growth');
      return;
    }
    const [first, last] = [settled[0]!, settled.at(-1)!];
    report.add(`${title}: memory of the gateway at the end`, last.resident / 1e6, 'MB', {
      baseline: `${(first.resident / 1e6).toFixed(0)} MB at half of the time`,
      ratio: last.resident / first.resident,
    });
    report.add(`${title}: its budgets' bytes at the end`, last.accounted / 1e6, 'MB');
    const growth = slope(settled.map(({ resident }) => resident));
    report.add(`${title}: its growth in the second half, fitted`, (growth * 60) / 1e6, 'MB/hour');
    report.add(`${title}: its largest minute`, Math.max(...this.#minutes.map(({ resident }) => resident)) / 1e6, 'MB');
  }

  async #sample(): Promise<void> {
    // A gateway too busy to answer, or one that has ended, gives no sample.
    const sample = await memoryOf(this.#gateway).catch(() => undefined);
    if (sample !== undefined) this.#samples.push(sample);
    const elapsedMs = performance.now() - this.#began;
    if (this.#samples.length === 0 || elapsedMs < (this.#minutes.length + 1) * MINUTE_MS) return;
    const memory = {
      resident: median(this.#samples.map(({ resident }) => resident)),
      accounted: median(this.#samples.map(({ accounted }) => accounted)),
    };
    this.#minutes.push(memory);
    const { latenciesMs, failures } = this.#ofMinute;
    const left = Math.max(0, Math.ceil((this.#totalMs - elapsedMs) / MINUTE_MS));
    const cells = [
      String(this.#minutes.length).padStart(8),
      `${left} m`.padStart(6),
      (memory.resident / 1e6).toFixed(0).padStart(13),
      (memory.accounted / 1e6).toFixed(0).padStart(11),
      String(latenciesMs.length).padStart(8),
      String(failures).padStart(8),
      quantile(latenciesMs, 0.5).toFixed(0).padStart(11),
      quantile(latenciesMs, 0.99).toFixed(0).padStart(9),
    ];
    process.stdout.write(`${cells.join('')}  ${this.#parts.at(-1)?.name ?? ''}\n`);
    this.#samples = [];
    this.#ofMinute = { latenciesMs: [], failures: 0 };
  }
}

/** @throws when the gateway does not answer in time */
async function memoryOf({ pid, admin }: MeasuredGateway): Promise<Memory> {
  const accounted = await accountedBytes(admin);
  return { resident: residentBytes(pid), accounted };
}

const quantiles = [
  [0.5, 'median'],
  [0.99, 'p99'],
] as const;

/** The slope of the line that fits values at 0, 1, 2, ... best, by least squares. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const products = values.reduce((sum, value, at) => sum + (at - middle) * (value - mean), 0);
  return products / values.reduce((sum, _, at) => sum + (at - middle) ** 2, 0);
}
