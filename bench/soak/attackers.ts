/**
 * The hostile tenants of the soak, a process of their own: `attackers.js ADDRESS CA TOKEN...`.
 * They attack in turn until standard input ends, then print how often each attack was made.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../../clients/typescript/connection/connect.js';
import { RemoteModel } from '../../clients/typescript/model/remote-model.js';
import { connectRaw } from '../../test/support/raw-grpc.js';
import { type Attacker, attacks } from './attacks.js';

/** An attack that the server does not end is given up after this time. */
const ATTACK_MS = 60_000;
const PAUSE_MS = 250;

const [address, caFile, ...tokens] = process.argv.slice(2) as [string, string, ...string[]];
const made: Record<string, number> = {};
let running = true;
process.stdin.resume().once('end', () => {
  running = false;
});

async function attackAs(token: string, first: number): Promise<void> {
  const names = Object.keys(attacks);
  const remote = new RemoteModel(await connect({ address, ca: caFile, token, retry: { retryForMs: 0 } }));
  let attacker: Attacker | undefined;
  for (let turn = first; running; turn++) {
    // The server closes a connection that misbehaves: the attacker comes back with another.
    if (attacker === undefined || attacker.connection.session.destroyed || attacker.connection.session.closed) {
      attacker = { connection: connectRaw(address, { caFile }), token, remote };
    }
    const name = names[turn % names.length]!;
    made[name] = (made[name] ?? 0) + 1;
    await Promise.race([attacks[name]!(attacker).catch(() => undefined), sleep(ATTACK_MS, undefined, { ref: false })]);
    await sleep(PAUSE_MS);
  }
  attacker?.connection.close();
  remote.connection.close();
}

await Promise.all(tokens.map((token, at) => attackAs(token, 2 * at)));
process.stdout.write(`${JSON.stringify(made)}\n`);
process.exit();
