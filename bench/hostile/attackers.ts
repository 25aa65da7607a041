/**
 * Hostile connections of all kinds, a process of their own: `attackers.js ADDRESS CA TOKEN COUNT`.
 * It prints a line when all are open. A connection that the server ends comes back after a pause;
 * one that it keeps attacks anew after a longer one. When standard input ends, all are closed and
 * a line has the counts by kind.
 */
import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Made } from './attacker-process.js';
import { attacks, type Kind } from './attacks.js';

/** Before a connection that the server has ended comes back. */
const AGAIN_MS = 5000;
/** How long a connection is held that the server does not end. */
const HOLD_MS = 15_000;
/** Source addresses, so that the bound of one address does not hide the others. */
const ADDRESSES = 8;
/** Handshakes at a time at the start. */
const AT_ONCE = 16;

const [address, caFile, token, count] = process.argv.slice(2) as [string, string, string, string];
const ca = readFileSync(caFile);
const kinds = Object.keys(attacks) as Kind[];
const made = Object.fromEntries(kinds.map((kind) => [kind, { connections: 0, refusedCalls: 0, endedByServer: 0 }])) as Record<Kind, Made>;
const stopping = new AbortController();
const { signal } = stopping;
setMaxListeners(0, signal); // each attacker's pause listens
process.stdin.resume().once('end', () => stopping.abort());

/** One attacker, until the end. @param opened is called once, when its first connection is open */
async function attackFrom(at: number, opened: () => void): Promise<void> {
  const kind = kinds[at % kinds.length]!;
  const counts = made[kind];
  const localAddress = `127.0.1.${1 + (at % ADDRESSES)}`;
  while (!signal.aborted) {
    const target = { address, caFile, ca, token, localAddress, at: Math.floor(at / kinds.length) };
    const connection = attacks[kind](target, () => counts.refusedCalls++);
    counts.connections++;
    await connection.opened;
    opened();
    const byServer = connection.ended.then(() => 'server' as const);
    const ended = await Promise.race([byServer, pause(HOLD_MS)]);
    if (ended === 'server' && !signal.aborted) counts.endedByServer++;
    connection.close();
    await pause(AGAIN_MS);
  }
}

async function pause(ms: number): Promise<undefined> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

const all: Promise<void>[] = [];
for (let at = 0; at < Number(count); at += AT_ONCE) {
  const opened: Promise<void>[] = [];
  for (let next = at; next < Math.min(at + AT_ONCE, Number(count)); next++) {
    opened.push(new Promise((resolve) => all.push(attackFrom(next, resolve))));
  }
  await Promise.all(opened);
}
process.stdout.write('open\n');
await Promise.all(all);
process.stdout.write(`${JSON.stringify(made)}\n`);
process.exit();
