/**
 * A training step alone, and beside hostile connections of six kinds. They are half-open
 * ones, slow readers, oversize messages, reset bursts, unknown keys, garbage frames. The attackers
 * share the machine, so they have its lowest priority: that measures the gateway.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '../../clients/typescript/connection/connect.js';
import { ClientBundle } from '../../clients/typescript/model/client-bundle.js';
import { runProcess, startGateway } from '../../demo/processes.js';
import { peakBytes, residentBytes } from '../../test/support/process-memory.js';
import { quantile } from '../paired.js';
import { randomExamples } from '../random-examples.js';
import type { Report } from '../report.js';
import type { Model } from '../session.js';
import { startAttackers } from './attacker-process.js';
import { HonestClient } from './honest.js';

/** How long each part is measured. */
const PART_MS = 15_000;
const WARM_UP_STEPS = 20;

/** Adds the section's figures. @param connections hostile ones at a time */
export async function benchHostile(report: Report, model: Model, connections: number): Promise<void> {
  const gateway = await startGateway([
    ...['--backbone', join(model.packedDir, 'backbone'), '--state-dir', model.stateDir, '--log-level', 'error'],
    ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--memory', '512MiB'],
  ]);
  const { listen: address, caFile } = gateway.ready;
  const tokenOf = async (tenant: string) =>
    (await runProcess('cutlayer', ['gateway', 'token', '--tenant', tenant, '--state-dir', model.stateDir])).trim();
  const bundle = await ClientBundle.open(join(model.packedDir, 'client-bundle'), { threads: 1 });
  const connection = await connect({ address, ca: caFile, token: await tokenOf('honest') });
  try {
    const examples = randomExamples(bundle.vocabSize, { batch: 4, sequence: 64, virtualTokens: 8 });
    const honest = new HonestClient(bundle, connection, examples);
    await honest.first();
    for (let at = 0; at < WARM_UP_STEPS; at++) await honest.step();
    const alone = await play(honest);
    const before = residentBytes(gateway.pid);
    writeFileSync(`/proc/${gateway.pid}/clear_refs`, '5'); // forgets the peak
    const end = await startAttackers({ address, caFile, token: await tokenOf('hostile'), connections });
    const beside = await play(honest);
    const made = await end();
    const title = `hostile, ${connections} connections`;
    for (const [share, label] of [
      [0.5, 'median'],
      [0.99, 'p99'],
    ] as const) {
      const [value, base] = [quantile(beside, share), quantile(alone, share)];
      report.add(`${title}: honest step, ${label}`, value, 'ms', { baseline: `${base.toFixed(1)} ms alone`, ratio: value / base });
    }
    report.note(`${alone.length} steps alone, ${beside.length} beside; each gave the parameters of the first run, bit for bit`);
    for (const [kind, { connections: opened, refusedCalls, endedByServer }] of Object.entries(made)) {
      report.note(`${kind}: ${opened} connections, ${endedByServer} ended by the server, ${refusedCalls} calls refused or cut`);
    }
    const peak = peakBytes(gateway.pid);
    report.add(`${title}: the gateway's largest memory`, peak / 1e6, 'MB', {
      baseline: `${(before / 1e6).toFixed(0)} MB before`,
      ratio: peak / before,
    });
    await play(honest);
    report.add(`${title}: its memory ${PART_MS / 1000} s after`, residentBytes(gateway.pid) / 1e6, 'MB');
  } finally {
    connection.close();
    await bundle.close();
    await gateway.stop();
  }
}

/** Trains for the time of a part. @returns milliseconds of each step */
async function play(honest: HonestClient): Promise<readonly number[]> {
  const steps: number[] = [];
  for (const end = performance.now() + PART_MS; performance.now() < end; ) steps.push(await honest.step());
  return steps;
}
