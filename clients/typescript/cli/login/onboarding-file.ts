/**
 * The file that a vendor makes for one customer: address, CA, token, and where the bundle is.
 * `cutlayer gateway onboard` writes it, `cutlayer client login --from` reads it. It is a secret.
 */
import { z } from 'zod';
import { authority, hex64, readHanded, shortText, writeHanded } from './handed-file.js';

/** The version of the format. */
export const ONBOARDING_VERSION = 1;

const fields = {
  tenant: shortText,
  gateway: shortText,
  /** PEM; absent where the system's authorities are enough. */
  ca: authority.optional(),
  token: shortText,
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
export function readOnboarding(path: string): Promise<Onboarding> {
  return readHanded(path, format);
}
