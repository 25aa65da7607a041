/** What a registered client holds in place of a token: its id, its key, and whom it asks. */
import type { JWK } from 'jose';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { createFileAtomic } from '../../../src/files/atomic-file.js';
import { parseJson } from '../../../src/files/json-text.js';

const text = z.string().min(1).max(2048);
const privateKeySchema = z.discriminatedUnion('kty', [
  z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: text, d: text, kid: text.exactOptional() }),
  z.object({ kty: z.literal('EC'), crv: z.literal('P-256'), x: text, y: text, d: text, kid: text.exactOptional() }),
]);

/** The form of the file. */
export const clientCredentialsSchema = z.object({
  clientId: text,
  /** The token endpoint. */
  tokenUrl: z.url({ protocol: /^https?$/ }).max(2048),
  /** The audience of its assertions. */
  issuer: text,
  /** Its private key, a JWK. */
  key: privateKeySchema,
});

/** A client's id, key, token endpoint and issuer. A secret. */
export interface ClientCredentials {
  readonly clientId: string;
  readonly tokenUrl: string;
  readonly issuer: string;
  readonly key: JWK;
}

/**
 * The credentials in a token file's text; undefined when it holds a token.
 * @throws CutlayerError INVALID_ARGUMENT
 */
export function parseClientCredentials(content: string, file: string): ClientCredentials | undefined {
  if (!content.startsWith('{')) return undefined;
  try {
    return clientCredentialsSchema.parse(parseJson(content));
  } catch {
    // The cause would quote the file, and the file is secret.
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `${file}: expected the credentials of a client, as cutlayer gateway client add writes them`,
    );
  }
}

/** Writes a new file for its owner only. @throws CutlayerError ALREADY_EXISTS, IO_ERROR */
export async function writeClientCredentials(file: string, credentials: ClientCredentials): Promise<void> {
  if (!(await createFileAtomic(file, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 })))
    throw new CutlayerError('ALREADY_EXISTS', `${file}: is there already; choose another --out`);
}
