/**
 * A training step alone, and beside hostile connections of six kinds, in turns. They are half-open
 * ones, slow readers, oversize messages, reset bursts, unknown keys, garbage frames. The attackers
 * share the machine, so they have its lowest priority and a pace, and their processor time is told.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '../../clients/typescript/connection/connect.js';
import { ClientBundle } from '../../clients/typescript/model/client-bundle.js';
import { runProcess, startGateway } from '../../demo/processes.js';
import { peakBytes, processorMs, residentBytes } from '../../test/support/process-memory.js';
import { median, quantile } from '../paired.js';
import { randomExamples } from '../random-examples.js';
import type { Report } from '../report.js';
import type { Model } from '../session.js';
import { openAt } from '../soak/accounted.js';
import { startAttackers } from './attacker-process.js';
import { HonestClient } from './honest.js';

/** How long each part is measured, and how often both are. */
const PART_MS = 15_000;
const ROUNDS = 2;
const WARM_UP_STEPS = 20;
const LOOK_MS = 1000;
const MEMORY_MIB = 512;

/** Adds the section's figures. @param connections hostile ones at a time */
export async function benchHostile(report: Report, model: Model, connections: number): Promise<void> {
  const gateway = await startGateway([
    ...['--backbone', join(model.packedDir, 'backbone'), '--state-dir', model.stateDir, '--log-level', 'error'],
    ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--memory', `${MEMORY_MIB}MiB`],
  ]);
  const { listen: address, admin, caFile } = gateway.ready;
  const tokenOf = async (tenant: string) =>
    (await runProcess('cutlayer', ['gateway', 'token', '--tenant', tenant, '--state-dir', model.stateDir])).trim();
  const bundle = await ClientBundle.open(join(model.packedDir, 'client-bundle'), { threads: 1 });
  const honestToken = await tokenOf('honest');
  const connection = await connect({ address, ca: caFile, token: honestToken });
  const newcomer = async (): Promise<void> => {
    const fresh = await connect({ address, ca: caFile, token: honestToken });
    fresh.close();
  };
  const title = `hostile, ${connections} connections`;
  try {
    const examples = randomExamples(bundle.vocabSize, { batch: 4, sequence: 64, virtualTokens: 8 });
    const honest = new HonestClient(bundle, connection, examples);
    await honest.first();
    for (let at = 0; at < WARM_UP_STEPS; at++) await honest.step();
    const before = residentBytes(gateway.pid);
    writeFileSync(`/proc/${gateway.pid}/clear_refs`, '5'); // forgets the peak
    const token = await tokenOf('hostile');
    const alone: Part[] = [];
    const beside: Part[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      alone.push(await play(honest, newcomer, { gateway: gateway.pid }, admin));
      const attackers = await startAttackers({ address, caFile, token, connections });
      beside.push(await play(honest, newcomer, { gateway: gateway.pid, attackers: attackers.pid }, admin));
      const made = await attackers.end();
      for (const [kind, { connections: opened, refusedCalls, endedByServer }] of Object.entries(made)) {
        report.note(`round ${round}, ${kind}: ${opened} connections, ${endedByServer} ended by the server, ${refusedCalls} calls refused`);
      }
    }
    for (const [share, label] of [
      [0.5, 'median'],
      [0.99, 'p99'],
    ] as const) {
      const of = (parts: readonly Part[]): number =>
        quantile(
          parts.flatMap(({ steps }) => steps),
          share,
        );
      report.add(`${title}: honest step, ${label}`, of(beside), 'ms', {
        baseline: `${of(alone).toFixed(1)} ms alone`,
        ratio: of(beside) / of(alone),
      });
      const pairs = beside.map(({ steps }, at) => quantile(steps, share) / quantile(alone[at]!.steps, share));
      report.note(`${label} by round: ${pairs.map((ratio) => `${ratio.toFixed(2)} times`).join(', ')} the part before`);
    }
    const first = (parts: readonly Part[]): string => {
      const all = parts.flatMap(({ newcomers }) => newcomers);
      return `${median(all).toFixed(0)} ms in the median, ${Math.max(...all).toFixed(0)} at most`;
    };
    report.note(`first answer of a new honest connection: ${first(alone)} alone; ${first(beside)} beside`);
    const count = (parts: readonly Part[]): number => parts.reduce((sum, { steps }) => sum + steps.length, 0);
    report.note(`${count(alone)} steps alone, ${count(beside)} beside; each gave the parameters of the first run, bit for bit`);
    const open = beside.flatMap((part) => part.open);
    report.note(`connections at the gateway beside: ${median(open)} in the median, ${Math.max(...open)} at most; 1 is the honest one`);
    report.note(`processor alone: ${alone.map(busy).join('; ')}`);
    report.note(`processor beside: ${beside.map(busy).join('; ')}`);
    const [peak, cap] = [peakBytes(gateway.pid), before + MEMORY_MIB * 2 ** 20];
    report.add(`${title}: the gateway's largest memory`, peak / 1e6, 'MB', {
      baseline: `cap ${(cap / 1e6).toFixed(0)} MB: ${(before / 1e6).toFixed(0)} before and --memory`,
      ratio: peak / cap,
    });
    await play(honest, newcomer, {}, admin);
    report.add(`${title}: its memory ${PART_MS / 1000} s after`, residentBytes(gateway.pid) / 1e6, 'MB');
    report.note(`connections then: ${(await openAt(admin)).connections}`);
  } finally {
    connection.close();
    await bundle.close();
    await gateway.stop();
  }
}

/** What one part gave. */
interface Part {
  /** Milliseconds of each step. */
  readonly steps: readonly number[];
  /** Milliseconds until a new connection of the honest client had its first answer, each. */
  readonly newcomers: readonly number[];
  /** Connections of the gateway, second by second. */
  readonly open: readonly number[];
  /** Processor time by process, in processors. */
  readonly processors: Readonly<Record<string, number>>;
}

const busy = ({ processors }: Part): string =>
  Object.entries(processors)
    .map(([name, used]) => `${name} ${used.toFixed(2)}`)
    .join(', ');

/**
 * Trains for the time of a part, and connects anew once a second.
 * @param newcomer connects, and ends the connection after its first answer
 * @param pids processes whose time is told beside the client's
 */
async function play(
  honest: HonestClient,
  newcomer: () => Promise<void>,
  pids: Readonly<Record<string, number>>,
  admin: string,
): Promise<Part> {
  const all = { client: process.pid, ...pids };
  const used = (): Readonly<Record<string, number>> =>
    Object.fromEntries(Object.entries(all).map(([name, pid]) => [name, processorMs(pid)]));
  const [from, usedBefore] = [performance.now(), used()];
  const [steps, open, newcomers]: [number[], number[], number[]] = [[], [], []];
  let coming = Promise.resolve();
  const come = async (): Promise<void> => {
    const began = performance.now();
    await newcomer();
    newcomers.push(performance.now() - began);
  };
  for (let look = from; performance.now() < from + PART_MS; steps.push(await honest.step())) {
    if (performance.now() < look) continue;
    look += LOOK_MS;
    coming = coming.then(come);
    open.push((await openAt(admin)).connections);
  }
  await coming;
  const ms = performance.now() - from;
  const processors = Object.fromEntries(Object.entries(used()).map(([name, after]) => [name, (after - usedBefore[name]!) / ms]));
  return { steps, newcomers, open, processors };
}
