/**
 * Decode sessions through a gateway in its own process over TLS. Measured are tokens per second of
 * several sessions, and the time between tokens, alone and beside a tenant that trains. Then come
 * prompts that the tenant has sent before, and a long one. Rows go in and out; no head runs.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Connection, connect } from '../../clients/typescript/index.js';
import { RemoteSession } from '../../clients/typescript/model/remote-session.js';
import { type GatewayProcess, runProcess } from '../../demo/processes.js';
import { loadBackbone } from '../../src/artifacts/store.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { seeded, uniform } from '../../test/support/random.js';
import { openGatewayTrainer } from '../gateway-trainer.js';
import { elapsedMs, median } from '../paired.js';
import type { Report } from '../report.js';
import type { Model } from '../session.js';

/** What is measured, in rows. */
export interface DecodeSizes {
  /** The prompts that are sent again. */
  readonly prompts: readonly number[];
  /** The long prompt. */
  readonly prefill: number;
  /** Tokens of each session. */
  readonly tokens: number;
}

/** Rows before the first token: less than a block, so that nothing is kept of them. */
const SHORT = 48;

/** Measures one gateway. */
export async function benchDecodeGateway(report: Report, model: Model, sizes: DecodeSizes): Promise<void> {
  const trainer = await openGatewayTrainer(model, { batch: 4, sequence: 64, virtualTokens: 16 });
  const connection = await connectAs('decodes', model, trainer.gateway);
  try {
    const sessions = new Sessions(connection);
    await sessions.together(1, 2); // opens the decoder
    for (const count of [1, 8, 32]) {
      const alone = await sessions.together(count, sizes.tokens);
      report.add(`${count} sessions through the gateway, ${model.name}`, alone.rate, 'tokens/s');
      addTimes(report, `${count} sessions alone, ${model.name}`, alone.times);
    }
    let training = true;
    const load = (async () => {
      while (training) await trainer.step();
    })();
    for (const count of [1, 8])
      addTimes(
        report,
        `${count} sessions beside a tenant that trains, ${model.name}`,
        (await sessions.together(count, sizes.tokens)).times,
      );
    training = false;
    await load;
  } finally {
    connection.close();
    await trainer.close();
  }
}

/** Prompts sent twice, in memory that has room for a session and for what is kept of it. */
export async function benchPrompts(report: Report, model: Model, { prompts }: DecodeSizes, rounds: number): Promise<void> {
  const room = ['--decode-memory', '2GiB', '--decode-cache', '512MiB'];
  const { gateway, close } = await openGatewayTrainer(model, { batch: 1, sequence: 8, virtualTokens: 1 }, room);
  const connection = await connectAs('decodes', model, gateway);
  try {
    const sessions = new Sessions(connection);
    await sessions.together(1, 2); // opens the decoder
    for (const count of prompts) {
      const times: [computed: number, copied: number][] = [];
      for (let round = 0; round < rounds; round++) {
        const rows = sessions.rows(count);
        times.push([await sessions.prompt(rows), await sessions.prompt(rows)]);
      }
      const computed = median(times.map(([ms]) => ms));
      report.add(`prompt of ${count} rows that the tenant has sent before, ${model.name}`, median(times.map(([, ms]) => ms)), 'ms', {
        baseline: `${computed.toFixed(0)} ms the first time`,
        ratio: median(times.map(([first, again]) => again / first)),
      });
    }
  } finally {
    connection.close();
    await close();
  }
}

/** A long prompt: its time, and the memory of the gateway beside the prompt's keys and values. */
export async function benchLongPrompt(report: Report, model: Model, count: number): Promise<void> {
  const { dims } = (await loadBackbone(join(model.packedDir, 'backbone'), { verify: false })).manifest;
  const rowBytes = 2 * dims.numLayers * dims.numKvHeads * dims.headDim * Float32Array.BYTES_PER_ELEMENT;
  const { gateway, close } = await openGatewayTrainer(model, { batch: 1, sequence: 8, virtualTokens: 1 }, ['--decode-cache', '0']);
  const connection = await connectAs('decodes', model, gateway);
  try {
    const sessions = new Sessions(connection);
    await sessions.together(1, 2); // opens the decoder
    resetPeak(gateway.pid);
    const before = statusBytes(gateway.pid, 'VmRSS');
    const ms = await sessions.prompt(sessions.rows(count));
    const extra = statusBytes(gateway.pid, 'VmHWM') - before - count * rowBytes;
    report.add(`prompt of ${count} rows, ${model.name}`, ms / 1000, 's');
    report.add(`memory of the gateway beside its keys and values, ${model.name}`, extra / 2 ** 20, 'MiB', {
      baseline: `keys and values, ${((count * rowBytes) / 2 ** 20).toFixed(0)} MiB`,
      ratio: extra / (count * rowBytes),
    });
    report.add(`keys and values of a row, ${model.name}`, rowBytes, 'bytes');
  } finally {
    connection.close();
    await close();
  }
}

function addTimes(report: Report, what: string, times: readonly number[]): void {
  const sorted = [...times].sort((a, b) => a - b);
  for (const [share, label] of [[0.5, 'p50'], [0.95, 'p95']] as const) // biome-ignore format: one figure a pair
    report.add(`between tokens, ${label}, ${what}`, sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!, 'ms');
}

/** Sessions of rows that no other session has had. */
class Sessions {
  readonly #connection: Connection;
  #seed = 1;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  rows(count: number): Tensor<'float32'> {
    return uniform('float32', [count, this.#connection.card.dims.hiddenSize], seeded(this.#seed++));
  }

  /** Milliseconds until a prompt's last row is there, in a session of its own. */
  async prompt(rows: Tensor<'float32'>): Promise<number> {
    const session = await this.#open(rows.shape[0]!);
    try {
      return await elapsedMs(() => session.append(rows));
    } finally {
      session.close();
    }
  }

  /** Sessions that take their tokens at once. */
  async together(count: number, tokens: number): Promise<{ readonly rate: number; readonly times: readonly number[] }> {
    const sessions = await Promise.all(Array.from({ length: count }, () => this.#open(SHORT + tokens)));
    try {
      await Promise.all(sessions.map((session) => session.append(this.rows(SHORT))));
      const token = this.rows(1);
      const times: number[] = [];
      const ms = await elapsedMs(() =>
        Promise.all(
          sessions.map(async (session) => {
            for (let at = 0; at < tokens; at++) times.push(await elapsedMs(() => session.append(token)));
          }),
        ),
      );
      return { rate: (1000 * count * tokens) / ms, times };
    } finally {
      for (const session of sessions) session.close();
    }
  }

  #open(maxRows: number): Promise<RemoteSession> {
    const replay = (): Promise<never> => Promise.reject(new Error('the gateway lost a session of the benchmark'));
    return RemoteSession.open(this.#connection, { maxRows, replay });
  }
}

/** A connection of another tenant than the one that trains. */
export async function connectAs(tenant: string, { stateDir }: Model, { ready }: GatewayProcess): Promise<Connection> {
  const token = (await runProcess('cutlayer', ['gateway', 'token', '--tenant', tenant, '--state-dir', stateDir])).trim();
  return connect({ address: ready.listen, ca: ready.caFile, token });
}

/** Peak memory counts from here on, where the system can forget it (Linux). */
function resetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {}
}

function statusBytes(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return 1024 * Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN);
}
