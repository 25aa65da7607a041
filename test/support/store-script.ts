/** Transactions that touch every table, and a store's whole content, for tests that kill it. */
import { createHash } from 'node:crypto';
import type { Database, Transaction } from '../../src/coordinator/tables/database.js';

/** The federation that the script writes. */
export const FEDERATION = 'f'.repeat(64);

/** `length` bytes that look random and are found nowhere else. */
export const bytesOf = (seed: number, length: number): Uint8Array =>
  new Uint8Array(
    createHash('shake256', { outputLength: Math.max(1, length) })
      .update(`${seed}`)
      .digest(),
  ).subarray(0, length);

const federation = FEDERATION;

/**
 * Each is one transaction; its last write is the federation's state, which says how many were done.
 */
const steps: readonly ((tx: Transaction) => Promise<unknown>)[] = [
  async (tx) => {
    await tx.federations.create({
      id: federation,
      name: 'clinics',
      manifest: bytesOf(1, 900),
      signature: bytesOf(2, 64),
      status: 'running',
      state: { done: 0 },
      at: 1,
    });
    await tx.versions.create({
      federation,
      version: 0,
      parent: null,
      round: null,
      status: 'promoted',
      digest: 'd0',
      details: {},
      parameters: bytesOf(3, 6000),
      at: 1,
    });
    await tx.broadcasts.append(federation, { seq: 0, bytes: bytesOf(4, 200), signature: bytesOf(5, 64), hash: 'h0', at: 1 });
  },
  async (tx) => {
    await tx.messages.put({ federation, round: 1, stage: 'submitting', member: 'anna', bytes: bytesOf(6, 9000), at: 2, keepBytes: false });
    await tx.accumulators.include({ federation, round: 1, name: 'sum', member: 'anna', bytes: bytesOf(7, 9000) });
  },
  async (tx) => {
    await tx.messages.put({ federation, round: 1, stage: 'submitting', member: 'ben', bytes: bytesOf(8, 9000), at: 3 });
    await tx.accumulators.include({ federation, round: 1, name: 'sum', member: 'ben', bytes: bytesOf(9, 9000) });
  },
  async (tx) => {
    await tx.privacySpend.record({ federation, round: 1, entry: { noiseMultiplier: 1.5 }, at: 4 });
    await tx.versions.create({
      federation,
      version: 1,
      parent: 0,
      round: 1,
      status: 'candidate',
      digest: 'd1',
      details: { members: 2 },
      parameters: bytesOf(10, 6000),
      at: 4,
    });
    await tx.serverState.write(federation, 1, { momentum: Float64Array.of(0.1, -2e-300, 3) });
    await tx.versions.setStatus(federation, 0, 'superseded');
    await tx.pruneRound(federation, 1);
  },
];

/**
 * Runs the steps that the store has not had; a store that was killed anywhere goes on where it
 * stood.
 */
export async function runScript(database: Database): Promise<void> {
  for (const [i, step] of steps.entries()) {
    if ((await stepsDone(database)) > i) continue;
    await database.transaction(async (tx) => {
      await step(tx);
      await tx.federations.update(FEDERATION, { status: 'running', state: { done: i + 1 }, at: i });
    });
  }
}

/** How many of its transactions a store has had. */
export async function stepsDone(database: Database): Promise<number> {
  const row = await database.transaction((tx) => tx.federations.read(FEDERATION));
  return row === undefined ? 0 : (row.state as { readonly done: number }).done; // the script writes it
}

/** Number of the script's transactions. */
export const scriptLength = steps.length;

/** Everything that the store holds, as one digest. */
export function contentOf(database: Database): Promise<string> {
  return database.transaction(async (tx) => {
    const versions = [];
    for (const { version } of await tx.versions.list(FEDERATION)) {
      versions.push([await tx.versions.read(FEDERATION, version), await tx.serverState.read(FEDERATION, version)]);
    }
    const content = [
      await tx.federations.read(FEDERATION),
      await tx.messages.list(FEDERATION, 1, 'submitting'),
      await tx.accumulators.read(FEDERATION, 1, 'sum'),
      await tx.broadcasts.list(FEDERATION, 0, 100),
      await tx.privacySpend.list(FEDERATION),
      versions,
    ];
    const text = JSON.stringify(content, (_, value) => (ArrayBuffer.isView(value) ? Array.from(value as Uint8Array) : value));
    return createHash('sha256').update(text).digest('hex');
  });
}
