/** Checkpoints: signatures by the state directory's audit key over all entries before them. */
import { CutlayerError } from '../../errors.js';
import { generateIdentity, type IdentityKey, identityFromSeed, sign, verify } from '../../protocol/secagg/signature.js';
import { createStateFile, openStateDir, readStateFile } from '../state-files.js';
import { type AuditEntry, broken, type ChainHead } from './chain.js';
import type { AuditFields } from './event.js';

const FILE = 'audit-key.hex';

/** Opens the key of a state directory, made when missing. @throws CutlayerError IO_ERROR */
export async function openAuditKey(dir: string): Promise<IdentityKey> {
  await openStateDir(dir);
  const found = await readAuditKey(dir);
  if (found !== undefined) return found;
  await createStateFile(dir, FILE, `${Buffer.from(generateIdentity().privateKey).toString('hex')}\n`, { secret: true });
  return (await readAuditKey(dir))!; // it was just made, by this process or another
}

/** Reads the key; undefined where there is none. @throws CutlayerError IO_ERROR */
export async function readAuditKey(dir: string): Promise<IdentityKey | undefined> {
  const text = await readStateFile(dir, FILE, { secret: true });
  if (text === undefined) return undefined;
  if (/^[0-9a-f]{64}\n?$/.test(text)) return identityFromSeed(Buffer.from(text.trim(), 'hex'));
  throw new CutlayerError('IO_ERROR', `${FILE} in ${dir}: expected 64 hex digits, got something else; restore it from a backup`);
}

/** A public key as text: 43 characters of base64url. */
export const keyText = ({ publicKey }: Pick<IdentityKey, 'publicKey'>): string => Buffer.from(publicKey).toString('base64url');

/** The fields of a checkpoint that follows `head`. */
export function checkpointFields(key: IdentityKey, head: ChainHead): AuditFields {
  return { publicKey: keyText(key), signature: Buffer.from(sign(key.privateKey, signed(head))).toString('base64url') };
}

/**
 * Checks a checkpoint.
 * @param expected the public key that must have signed it
 * @throws CutlayerError AUDIT_BROKEN
 */
export function requireCheckpoint(entry: AuditEntry, expected: string, where: string): void {
  if (entry.publicKey !== expected)
    throw broken(where, `checkpoint ${entry.sequence} names the key ${entry.publicKey}, expected ${expected}`);
  const signature = Buffer.from(String(entry.signature), 'base64url');
  const head = { sequence: entry.sequence - 1, hash: entry.previous };
  if (verify(Buffer.from(expected, 'base64url'), signed(head), signature)) return;
  throw broken(where, `checkpoint ${entry.sequence} has a wrong signature`);
}

function signed({ sequence, hash }: ChainHead): Uint8Array {
  return Buffer.from(`cutlayer audit checkpoint\n${sequence}\n${hash}\n`);
}
