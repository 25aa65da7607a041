/**
 * The file that a vendor makes for one customer: address, CA, how it gets its tokens, and where the
 * bundle is.
 * `cutlayer gateway onboard` writes it, `cutlayer client login --from` reads it. It is a secret.
 */
import { z } from 'zod';
import { CutlayerError } from '../../../../src/errors.js';
import { clientCredentialsSchema } from '../../connection/client-credentials.js';
import { authority, hex64, MAX_BYTES, readHanded, shortText, writeHanded } from './handed-file.js';

/** The version of the format. */
export const ONBOARDING_VERSION = 1;

const fields = {
  tenant: shortText,
  gateway: shortText,
  /** PEM; absent where the system's authorities are enough. */
  ca: authority.optional(),
  /** Credentials with which it asks for its tokens; or a token that ends. */
  client: clientCredentialsSchema.optional(),
  token: shortText.optional(),
  /** A client certificate, PEM, where the gateway binds tokens to such ones. */
  certificate: z.strictObject({ cert: authority, key: z.string().includes('PRIVATE KEY-----').max(MAX_BYTES) }).optional(),
  bundle: z.strictObject({
    url: shortText.optional(),
    path: shortText.optional(),
    /** sha256 of the bundle's manifest.json. */
    manifestSha256: hex64.optional(),
  }),
};
const format = { kind: 'cutlayer-onboarding', version: ONBOARDING_VERSION, fields } as const;

/** What the file says. */
export type Onboarding = z.output<z.ZodObject<typeof fields>>;

/** Writes a new file of mode 0600. @throws CutlayerError ALREADY_EXISTS, IO_ERROR */
export function writeOnboarding(path: string, onboarding: Onboarding): Promise<void> {
  return writeHanded(path, format, onboarding);
}

/** @throws CutlayerError NOT_FOUND, INVALID_CONFIG */
export async function readOnboarding(path: string): Promise<Onboarding> {
  const found = await readHanded(path, format);
  if ((found.client === undefined) === (found.token === undefined))
    throw new CutlayerError('INVALID_CONFIG', `${path}: expected either credentials or a token in the file; ask the vendor for a new one`);
  return found;
}
