/**
 * Time for deadlines: it begins at the machine's clock and goes on with the monotonic one. A clock
 * that is set forward or back while the coordinator runs ends no stage, and freezes none.
 */
import type { CoordinatorLog } from './rounds/federation-context.js';

/** A smaller difference is how clocks are slewed. */
const JUMP_MS = 5000;

/** @param wall milliseconds since 1970 @param monotonic milliseconds since any time */
export function steadyClock(
  wall: () => number,
  log: Pick<CoordinatorLog, 'warn'>,
  monotonic: () => number = () => performance.now(),
): () => number {
  const origin = wall() - monotonic();
  let known = 0;
  return () => {
    const now = Math.floor(origin + monotonic());
    const jump = wall() - now - known;
    if (Math.abs(jump) > JUMP_MS) {
      known += jump;
      log.warn({ seconds: Math.round(jump / 1000) }, 'the clock of this machine has jumped; deadlines go on without the jump');
    }
    return now;
  };
}
