/**
 * An honest client beside attackers, for a long time. Ten tenants of one gateway: five train, step
 * after step; five attack in a process of their own. First the honest ones are alone for a sixth of
 * the time. Reported: the share of honest steps that succeed, their latency against that of the
 * first part, the memory of the gateway's process over the second.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createAdapter } from '../../clients/typescript/adapters/registry.js';
import { type Connection, connect } from '../../clients/typescript/connection/connect.js';
import { ClientBundle } from '../../clients/typescript/model/client-bundle.js';
import { TrainingClient } from '../../clients/typescript/training/training-client.js';
import { runProcess, startGateway } from '../../demo/processes.js';
import { residentBytes } from '../../test/support/process-memory.js';
import { randomExamples } from '../random-examples.js';
import type { Report } from '../report.js';
import type { Model } from '../training-step.js';

const HONEST = ['acme', 'birch', 'cedar', 'dogwood', 'elm'];
const HOSTILE = ['flood', 'forger', 'garbage', 'silence', 'storm'];
/** A user's time between two steps: batches are read, other work is done. */
const PAUSE_MS = 300;
const SAMPLE_MS = 2000;

/** The steps of a part of the soak. */
interface Part {
  readonly latenciesMs: number[];
  readonly failures: Map<string, number>;
}

/** Adds the section's figures. @param minutes of the whole */
export async function benchSoak(report: Report, model: Model, minutes: number): Promise<void> {
  const gateway = await startGateway([
    ...['--backbone', join(model.packedDir, 'backbone'), '--state-dir', model.stateDir, '--log-level', 'error'],
    ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'],
  ]);
  const address = gateway.ready.listen;
  const ca = gateway.ready.caFile;
  const tokenOf = async (tenant: string) =>
    (await runProcess('cutlayer', ['gateway', 'token', '--tenant', tenant, '--ttl', '24h', '--state-dir', model.stateDir])).trim();
  const bundle = await ClientBundle.open(join(model.packedDir, 'client-bundle'), { threads: 1 });
  try {
    const clients: TrainingClient[] = [];
    const connections: Connection[] = [];
    for (const tenant of HONEST) {
      const connection = await connect({ address, ca, token: await tokenOf(tenant) });
      const adapter = await createAdapter({ bundle }, 'prompt-tuning', { virtualTokens: 8, seed: 1 });
      connections.push(connection);
      clients.push(new TrainingClient(bundle, connection, adapter, { learningRate: 1e-3 }));
    }
    const tokens: string[] = [];
    for (const tenant of HOSTILE) tokens.push(await tokenOf(tenant));
    const examples = randomExamples(bundle.vocabSize, { batch: 4, sequence: 64, virtualTokens: 8 });
    const play = (partMinutes: number) => playPart(clients, examples, partMinutes * 60_000);
    await play(0.2); // warms up
    const alone = await play(minutes / 6);
    const memory = sampled(gateway.pid);
    const attackers = spawn(process.execPath, [fileURLToPath(new URL('attackers.js', import.meta.url)), address, ca, ...tokens], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let made = '';
    attackers.stdout.on('data', (chunk: Buffer) => {
      made += chunk.toString();
    });
    const attacked = await play((minutes * 5) / 6);
    attackers.stdin.end();
    await once(attackers, 'close');
    const rss = memory.end();
    const steps = attacked.latenciesMs.length;
    const failed = [...attacked.failures.values()].reduce((sum, count) => sum + count, 0);
    const name = `soak, ${HONEST.length} honest and ${HOSTILE.length} hostile tenants`;
    report.add(`${name}: honest steps that succeed`, (100 * steps) / (steps + failed), '%');
    for (const [share, label] of [
      [0.5, 'median'],
      [0.99, 'p99'],
    ] as const) {
      const [before, beside] = [quantile(alone.latenciesMs, share), quantile(attacked.latenciesMs, share)];
      report.add(`${name}: honest step, ${label}`, beside, 'ms', { baseline: `${before.toFixed(1)} ms alone`, ratio: beside / before });
    }
    // A tenth of the time is for caches and pools to fill.
    const first = rss[Math.floor(rss.length / 10)] ?? 0;
    const last = quantile(rss.slice(-Math.ceil(rss.length / 10)), 0.5);
    report.add(`${name}: memory of the gateway at the end`, last / 1e6, 'MB', {
      baseline: `${(first / 1e6).toFixed(0)} MB after a tenth of the time`,
      ratio: last / first,
    });
    report.add(`${name}: the same, largest`, Math.max(...rss) / 1e6, 'MB');
    report.note(
      `${steps} honest steps beside, ${alone.latenciesMs.length} alone; failures: ${JSON.stringify(Object.fromEntries(attacked.failures))}`,
    );
    report.note(`attacks made: ${made.trim()}`);
    for (const connection of connections) connection.close();
  } finally {
    await bundle.close();
    await gateway.stop();
  }
}

async function playPart(
  clients: readonly TrainingClient[],
  examples: Parameters<TrainingClient['forwardBackward']>[0],
  ms: number,
): Promise<Part> {
  const part: Part = { latenciesMs: [], failures: new Map() };
  const end = performance.now() + ms;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < end) {
        const began = performance.now();
        try {
          await client.forwardBackward(examples);
          await client.optimStep();
          part.latenciesMs.push(performance.now() - began);
        } catch (caught) {
          const code = String((caught as { readonly code?: unknown }).code ?? caught);
          part.failures.set(code, (part.failures.get(code) ?? 0) + 1);
        }
        await sleep(PAUSE_MS);
      }
    }),
  );
  return part;
}

/** Resident bytes of a process every two seconds, from now until `end`. */
function sampled(pid: number): { end(): number[] } {
  const bytes: number[] = [];
  const look = (): void => {
    bytes.push(residentBytes(pid));
  };
  const timer = setInterval(look, SAMPLE_MS);
  return {
    end() {
      clearInterval(timer);
      look();
      return bytes;
    },
  };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
