/**
 * A gateway in a process of its own that dies at a write of a charge: `BACKBONE STATE-DIR DATABASE`.
 * Its parent sends the number of the write that is its last, counted from then on.
 */

import { arithmeticDecoder } from './arithmetic-decoder.js';
import { startTestGateway } from './test-gateway.js';

const [backboneDir, stateDir, database] = process.argv.slice(2);
let left = Number.POSITIVE_INFINITY;
let charging = false;
const running = await startTestGateway({
  backboneDir: backboneDir!,
  start: { stateDir, database, insecure: true },
  decoder: () => ({ maxRows: 64, longRows: 0, maxBatch: 8, open: async () => arithmeticDecoder(64) }),
  onWrite(name) {
    charging ||= name === 'before insert usage_charges';
    if (charging && left-- === 0) process.kill(process.pid, 'SIGKILL');
    if (name === 'after commit') charging = false;
  },
});
process.on('message', (at: number) => {
  left = at;
  process.send!('armed');
});
process.send!({ address: running.gateway.listen, digest: running.gateway.backboneDigest });
