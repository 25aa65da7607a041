/**
 * Hostile connections of all kinds, a process of their own: `attackers.js ADDRESS CA TOKEN COUNT`.
 * It prints a line when each has opened its first connection, or after half a minute. From then on
 * a connection that the server has ended comes back after a pause; one that it keeps attacks anew
 * after a longer one. New connections are paced, as a network does it: without a pace attackers on
 * the gateway's own machine measure the machine. When standard input ends, all are closed and a
 * line has the counts by kind.
 */
import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Made } from './attacker-process.js';
import { attacks, type Kind } from './attacks.js';

/** Before a connection that the server has ended comes back. */
const AGAIN_MS = 5000;
/** How long a connection is held that the server does not end, when the first ones are open. */
const HOLD_MS = 15_000;
/** Source addresses, so that the bound of one address does not hide the others. */
const ADDRESSES = 8;
/** New connections in a second. */
const CONNECTIONS_PER_S = 64;
/** How long the first connections are waited for. */
const OPENING_MS = 30_000;

const [address, caFile, token, count] = process.argv.slice(2) as [string, string, string, string];
const ca = readFileSync(caFile);
const kinds = Object.keys(attacks) as Kind[];
const made = Object.fromEntries(kinds.map((kind) => [kind, { connections: 0, refusedCalls: 0, endedByServer: 0 }])) as Record<Kind, Made>;
const stopping = new AbortController();
const { signal } = stopping;
setMaxListeners(0, signal); // each attacker's pause listens
let nextAt = 0;
let begin = (): void => undefined;
/** The first connections; those that come back wait for them. */
const opening = new Promise<void>((resolve) => {
  begin = resolve;
});
process.stdin.resume().once('end', () => stopping.abort());

/** One attacker, until the end. @param opened is called once, when its first connection is open */
async function attackFrom(at: number, opened: () => void): Promise<void> {
  const kind = kinds[at % kinds.length]!;
  const counts = made[kind];
  const localAddress = `127.0.1.${1 + (at % ADDRESSES)}`;
  for (let first = true; !signal.aborted; first = false) {
    if (!first) await opening;
    await slot();
    if (signal.aborted) break;
    const target = { address, caFile, ca, token, localAddress, at: Math.floor(at / kinds.length) };
    const connection = attacks[kind](target, () => counts.refusedCalls++);
    counts.connections++;
    await connection.opened;
    opened();
    const byServer = connection.ended.then(() => 'server' as const);
    const ended = await Promise.race([byServer, opening.then(() => pause(HOLD_MS))]);
    if (ended === 'server' && !signal.aborted) counts.endedByServer++;
    connection.close();
    await pause(AGAIN_MS);
  }
}

async function pause(ms: number): Promise<undefined> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

/** Resolves when another connection may be opened. */
function slot(): Promise<undefined> {
  const now = performance.now();
  nextAt = Math.max(now, nextAt) + 1000 / CONNECTIONS_PER_S;
  return pause(nextAt - now);
}

const opened: Promise<void>[] = [];
const all = Array.from({ length: Number(count) }, (_, at) => {
  let onOpen = (): void => undefined;
  opened.push(
    new Promise((resolve) => {
      onOpen = resolve;
    }),
  );
  return attackFrom(at, onOpen);
});
await Promise.race([Promise.all(opened), pause(OPENING_MS)]);
begin();
process.stdout.write('open\n');
await Promise.all(all);
process.stdout.write(`${JSON.stringify(made)}\n`);
process.exit();
