/**
 * The file that a founder makes for one member: federation, member, coordinator with CA and token,
 * and what is known of the gateway. `cutlayer coordinator invite` writes it, `cutlayer client
 * federate --invite` reads it. Its token works only together with the member's identity.
 */
import { z } from 'zod';
import { authority, hex64, readHanded, shortText, writeHanded } from '../login/handed-file.js';

/** The version of the format. */
export const INVITE_VERSION = 1;

const fields = {
  /** The federation's id. */
  federation: hex64,
  name: shortText,
  member: shortText,
  /** The member's key on the roster. */
  publicKey: hex64,
  /** Of the backbone that the federation adapts. */
  backboneDigest: hex64,
  coordinator: z.strictObject({
    address: shortText,
    ca: authority.optional(),
    /** No TLS: on one machine. */
    insecure: z.literal(true).optional(),
  }),
  /** Absent where another issuer makes it. */
  token: shortText.optional(),
  /** End of the token, milliseconds since 1970. */
  expiresAt: z.int().positive().optional(),
  /** How to get a token, for people. */
  tokenFrom: shortText.optional(),
  /** What the founder knows of the vendor's gateway. */
  gateway: z.strictObject({ address: shortText, ca: authority.optional() }).optional(),
  /** Where the client bundle is. */
  bundleUrl: shortText.optional(),
};
const format = { kind: 'cutlayer-invite', version: INVITE_VERSION, fields } as const;

/** What the file says. */
export type Invite = z.output<z.ZodObject<typeof fields>>;

/** Writes a new file of mode 0600. @throws CutlayerError ALREADY_EXISTS, IO_ERROR */
export function writeInvite(path: string, invite: Invite): Promise<void> {
  return writeHanded(path, format, invite);
}

/** @throws CutlayerError NOT_FOUND, INVALID_CONFIG */
export function readInvite(path: string): Promise<Invite> {
  return readHanded(path, format);
}
