/** Makes a new signing key of the embedded issuer when the one in use is old. */
import { CutlayerError } from '../../errors.js';
import type { Audit } from '../../server/audit/event.js';
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
  /** A new key has an entry before it is made; one that another process made, when it is seen. */
  readonly audit: Pick<Audit, 'record'>;
  readonly log: Pick<Logger, 'info' | 'error'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Makes a new key if it is time; never rejects. Of several gateways of a directory the first makes
 * it.
 */
export async function rotateIfDue({ ring, days, audit, log, now }: KeyRotationOptions): Promise<void> {
  try {
    // Read again where nothing is due too: a command may have changed the keys.
    if (days === 0) await ring.reload();
    const record = () => audit.record('keys', { action: 'rotate', by: 'age', days });
    if (days === 0 || !(await ring.rotateIfOlder(days * DAY_SECONDS, now(), record))) return;
    log.info({ days }, 'key ring: a new key signs from now on; earlier ones verify until their tokens end');
  } catch (caught) {
    log.error({ err: CutlayerError.from(caught) }, 'key ring: cannot be rotated');
  }
}

/** Looks every few seconds. @returns stops it */
export function keepRotating(options: KeyRotationOptions): () => void {
  const seen = new SeenKeys(options);
  const look = async (): Promise<void> => {
    await rotateIfDue(options);
    await seen.look();
  };
  void look();
  const timer = setInterval(() => void look(), LOOK_MS).unref();
  return () => clearInterval(timer);
}

/** Records changes of the keys, by this process or another. */
export class SeenKeys {
  readonly #options: Pick<KeyRotationOptions, 'ring' | 'audit' | 'log'>;
  #seen: string;

  /** The keys that the ring has now are known: the entry of the start has the one that signs. */
  constructor(options: Pick<KeyRotationOptions, 'ring' | 'audit' | 'log'>) {
    this.#options = options;
    this.#seen = this.#now().join();
  }

  /** Looks at the ring; never rejects. What cannot be recorded is recorded at a later look. */
  async look(): Promise<void> {
    const { audit, log } = this.#options;
    const kids = this.#now();
    if (kids.join() === this.#seen) return;
    try {
      await audit.record('keys', { action: 'changed', kid: kids.at(-1), keys: kids.length });
      this.#seen = kids.join();
    } catch (caught) {
      log.error({ err: CutlayerError.from(caught) }, 'key ring: a change cannot be audited yet');
    }
  }

  #now(): readonly (string | undefined)[] {
    return this.#options.ring.publicJwks().keys.map(({ kid }) => kid);
  }
}
