/** Puts changed certificate files to use while the server runs. Open connections keep theirs. */
import { CutlayerError } from '../../errors.js';
import type { Logger } from '../observability/log.js';
import type { CertificateFiles, Tls } from './open-tls.js';

/** A server whose next connections can have another certificate. */
export interface CertificateUser {
  useCertificate(files: CertificateFiles): void;
}

/** How often the files are looked at. */
const LOOK_MS = 60_000;

/** What a renewal works on. */
export interface RenewalOptions {
  readonly tls: Tls;
  readonly servers: readonly CertificateUser[];
  readonly log: Pick<Logger, 'info' | 'error'>;
}

/** Looks at the files every minute and when asked; see {@link CertificateRenewal.look}. */
export class CertificateRenewal {
  readonly #options: RenewalOptions;
  readonly #timer: NodeJS.Timeout;
  #used: Tls['credentials'];
  #looking: Promise<void> | undefined;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#used = options.tls.credentials;
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  /**
   * Uses files that have changed. A pair that cannot be used, as between two writes, is logged, and
   * the last good one stays in use. Never rejects.
   */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { tls, servers, log } = this.#options;
    try {
      const found = await tls.load();
      if (found === 'insecure' || this.#used === 'insecure' || same(found, this.#used)) return;
      for (const server of servers) server.useCertificate(found);
      this.#used = found;
      log.info('certificate: new files are in use');
    } catch (caught) {
      log.error({ err: CutlayerError.from(caught) }, 'certificate: the files cannot be used; the last good ones stay in use');
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

function same(a: CertificateFiles, b: CertificateFiles): boolean {
  const empty = Buffer.alloc(0);
  return a.cert.equals(b.cert) && a.key.equals(b.key) && (a.clientCa ?? empty).equals(b.clientCa ?? empty);
}
