/**
 * An honest client beside attackers, for a long time. Ten tenants of one gateway: five train, step
 * after step; five attack from a process of their own. The honest ones are first alone for a sixth
 * of the time. Then they are beside attackers of their own priority for another. All share the
 * cores of this machine. So for the rest the attackers have the lowest priority: that part measures
 * the gateway, and not the machine's scheduler. SIGINT ends the soak early, with its table.
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
import { randomExamples } from '../random-examples.js';
import type { Report } from '../report.js';
import type { Model } from '../session.js';
import { SoakProgress } from './progress.js';

const HONEST = ['acme', 'birch', 'cedar', 'dogwood', 'elm'];
const HOSTILE = ['flood', 'forger', 'garbage', 'silence', 'storm'];
/** A user's time between two steps: batches are read, other work is done. */
const PAUSE_MS = 300;
const LOWEST_PRIORITY = 19;
/** Small budgets: they are full after a few minutes, and growth after that is a leak. */
const MEMORY = ['--memory', '1GiB', '--residual-memory', '256MiB'];

/** The parts of the soak, with their shares of its time. */
const parts = [
  { name: 'alone', share: 1 / 6, attackers: undefined },
  { name: 'beside attackers of the same priority', share: 1 / 6, attackers: 0 },
  { name: 'beside attackers of the lowest priority', share: 4 / 6, attackers: LOWEST_PRIORITY },
] as const;

/** What a soak works with. */
interface Rig {
  readonly clients: readonly TrainingClient[];
  readonly examples: Parameters<TrainingClient['forwardBackward']>[0];
  readonly progress: SoakProgress;
  /** Aborts when the soak is to end early. */
  readonly stop: AbortSignal;
}

/** Adds the section's figures. @param minutes of the whole */
export async function benchSoak(report: Report, model: Model, minutes: number): Promise<void> {
  const gateway = await startGateway([
    ...['--backbone', join(model.packedDir, 'backbone'), '--state-dir', model.stateDir, '--log-level', 'error'],
    ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', ...MEMORY],
  ]);
  const { listen: address, caFile: ca } = gateway.ready;
  const tokenOf = async (tenant: string) =>
    (await runProcess('cutlayer', ['gateway', 'token', '--tenant', tenant, '--ttl', '24h', '--state-dir', model.stateDir])).trim();
  const bundle = await ClientBundle.open(join(model.packedDir, 'client-bundle'), { threads: 1 });
  const connections: Connection[] = [];
  const interrupted = new AbortController();
  const onInterrupt = (): void => interrupted.abort();
  process.once('SIGINT', onInterrupt);
  const progress = new SoakProgress({ pid: gateway.pid, admin: gateway.ready.admin }, minutes * 60_000);
  try {
    const clients: TrainingClient[] = [];
    for (const tenant of HONEST) {
      const connection = await connect({ address, ca, token: await tokenOf(tenant) });
      const adapter = await createAdapter({ bundle }, 'prompt-tuning', { virtualTokens: 8, seed: 1 });
      connections.push(connection);
      clients.push(new TrainingClient(bundle, connection, adapter, { learningRate: 1e-3 }));
    }
    const tokens: string[] = [];
    for (const tenant of HOSTILE) tokens.push(await tokenOf(tenant));
    const examples = randomExamples(bundle.vocabSize, { batch: 4, sequence: 64, virtualTokens: 8 });
    const rig: Rig = { clients, examples, progress, stop: interrupted.signal };
    await play(rig, 10_000); // warms up
    progress.begin();
    for (const { name, share, attackers } of parts) {
      progress.part(name);
      const end = attackers === undefined ? undefined : startAttackers(attackers, [address, ca, ...tokens]);
      await play(rig, minutes * 60_000 * share);
      const made = await end?.();
      if (made !== undefined) report.note(`attacks made ${name}: ${made}`);
    }
    progress.report(report, `soak, ${HONEST.length} honest and ${HOSTILE.length} hostile tenants`);
  } finally {
    process.off('SIGINT', onInterrupt);
    progress.end();
    for (const connection of connections) connection.close();
    await bundle.close();
    await gateway.stop();
  }
}

/** Starts the attackers; the function ends them and gives how often each attack was made. */
function startAttackers(priority: number, args: readonly string[]): () => Promise<string> {
  const script = fileURLToPath(new URL('attackers.js', import.meta.url));
  const attackers = spawn('nice', ['-n', String(priority), process.execPath, script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  let made = '';
  attackers.stdout.on('data', (chunk: Buffer) => {
    made += chunk.toString();
  });
  return async () => {
    attackers.stdin.end();
    await once(attackers, 'close');
    return made.trim();
  };
}

/** The honest tenants train for so long, or until the soak is to end. */
async function play({ clients, examples, progress, stop }: Rig, ms: number): Promise<void> {
  const end = performance.now() + ms;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < end && !stop.aborted) {
        const began = performance.now();
        try {
          await client.forwardBackward(examples);
          await client.optimStep();
          progress.step(performance.now() - began);
        } catch (caught) {
          progress.failure(String((caught as { readonly code?: unknown }).code ?? caught));
        }
        await sleep(PAUSE_MS);
      }
    }),
  );
}
