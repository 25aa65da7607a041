/** Makes a new signing key of the embedded issuer when the one in use is old. */
import { CutlayerError } from '../../errors.js';
import type { KeyRing } from '../../server/auth/key-ring.js';
import type { Logger } from '../../server/observability/log.js';

const DAY_SECONDS = 24 * 3600;
/** The file is read again this often: a command on this machine may have changed the keys. */
const LOOK_MS = 5000;

/** What a rotation works on. */
export interface KeyRotationOptions {
  readonly ring: KeyRing;
  /** Age of a key at which the next one follows; 0: never. */
  readonly days: number;
  readonly log: Pick<Logger, 'info' | 'error'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Makes a new key if it is time; never rejects. Of several gateways of a directory the first makes
 * it.
 */
export async function rotateIfDue({ ring, days, log, now }: KeyRotationOptions): Promise<void> {
  try {
    // Read again where nothing is due too: a command may have changed the keys.
    if (days === 0) await ring.reload();
    if (days === 0 || !(await ring.rotateIfOlder(days * DAY_SECONDS, now()))) return;
    log.info({ days }, 'key ring: a new key signs from now on; earlier ones verify until their tokens end');
  } catch (caught) {
    log.error({ err: CutlayerError.from(caught) }, 'key ring: cannot be rotated');
  }
}

/** Looks every few seconds. @returns stops it */
export function keepRotating(options: KeyRotationOptions): () => void {
  void rotateIfDue(options);
  const timer = setInterval(() => void rotateIfDue(options), LOOK_MS).unref();
  return () => clearInterval(timer);
}
