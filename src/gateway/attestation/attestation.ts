/** Evidence of the running code, bound to the key at which TLS ends. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Mutex } from 'async-mutex';
import { CutlayerError } from '../../errors.js';
import { acceleratorNonce, NONCE_BYTES, reportData, tlsKeyDigest } from '../../protocol/attestation/report-data.js';
import type { GetAttestationResponse } from '../../protocol/wire/generated/cutlayer/v1/GetAttestationResponse.js';
import type { Audit } from '../../server/audit/event.js';
import type { ServerCredentials } from '../../server/tls/open-tls.js';
import type { CertificateUser } from '../../server/tls/renewal.js';
import type { GatewayConfig } from '../config.js';
import { answerOf, type QuoteSource, quoteSource } from './quote-source.js';

/** What evidence is made of. */
export interface AttestationParts {
  readonly config: Pick<GatewayConfig, 'attestation' | 'attestationCollateral' | 'attestationNvidia'>;
  readonly credentials: ServerCredentials;
  readonly audit: Audit;
  /** In place of the configured one. */
  readonly source?: QuoteSource | undefined;
}

/** Makes evidence, one piece at a time. */
export class Attestation implements CertificateUser {
  readonly #parts: AttestationParts;
  readonly #source: QuoteSource | undefined;
  readonly #turns = new Mutex();
  #credentials: ServerCredentials;

  constructor(parts: AttestationParts) {
    const { attestation } = parts.config;
    this.#parts = parts;
    this.#source = parts.source ?? (attestation === undefined ? undefined : quoteSource(attestation));
    this.#credentials = parts.credentials;
  }

  useCertificate(files: ServerCredentials): void {
    this.#credentials = files;
  }

  /**
   * @param nonce 32 bytes of the client
   * @throws CutlayerError INVALID_ARGUMENT, ATTESTATION_UNAVAILABLE, AUDIT_UNAVAILABLE
   */
  async evidence(nonce: Uint8Array, tenant: string): Promise<GetAttestationResponse> {
    if (nonce.length !== NONCE_BYTES)
      throw new CutlayerError('INVALID_ARGUMENT', `nonce: expected ${NONCE_BYTES} bytes, got ${nonce.length}`);
    const source = this.#source;
    const credentials = this.#credentials;
    if (source === undefined)
      throw unavailable(
        'this gateway has no source of quotes (--attestation); it does not run on confidential hardware, or is not told so',
      );
    if (credentials === 'insecure')
      throw unavailable('TLS does not end in this gateway (--insecure), so that no key can be bound to its code');
    return this.#turns.runExclusive(async () => {
      const tlsKey = tlsKeyDigest(credentials.cert);
      const bound = reportData(nonce, tlsKey);
      const quote = await source(bound);
      const { attestationCollateral, attestationNvidia } = this.#parts.config;
      const collateral = attestationCollateral === undefined ? '' : await readCollateral(attestationCollateral);
      const token =
        attestationNvidia === undefined ? '' : (await answerOf(attestationNvidia, acceleratorNonce(bound))).toString('utf8').trim();
      const evidence = createHash('sha256').update(quote).digest('hex');
      await this.#parts.audit.record('attestation', { tenant, evidence, tlsKey: tlsKey.toString('hex') });
      return { quote, tlsKeySha256: tlsKey, collateral, nvidiaToken: token };
    });
  }
}

async function readCollateral(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CutlayerError('ATTESTATION_UNAVAILABLE', 'attestation: the file of --attestation-collateral cannot be read', { cause });
  });
}

function unavailable(message: string): CutlayerError {
  return new CutlayerError('ATTESTATION_UNAVAILABLE', `attestation: ${message}; a client with --attestation-policy goes no further`);
}
