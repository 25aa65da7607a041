/** `iss` and `aud` of tokens, per state directory: another server refuses a directory's tokens. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import { createStateFile, openStateDir, readStateFile, writeStateFile } from '../state-files.js';

/** The file of the names. */
export const IDENTITY_FILE = 'identity.json';

const identitySchema = z.object({ issuer: z.string().min(1).max(512), audience: z.string().min(1).max(512) });

/** `iss` and `aud` of the embedded issuer's tokens. */
export type Identity = z.infer<typeof identitySchema>;

async function load(dir: string): Promise<Identity | undefined> {
  const text = await readStateFile(dir, IDENTITY_FILE);
  if (text === undefined) return undefined;
  try {
    return identitySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CutlayerError(
      'IO_ERROR',
      `${IDENTITY_FILE} in ${dir}: expected {issuer, audience}, got something else; restore or remove it`,
      {
        cause,
      },
    );
  }
}

/**
 * The identity of a state directory, made when missing; names given here replace the stored ones.
 * @param role part of a new audience
 * @throws CutlayerError IO_ERROR
 */
export async function openIdentity(
  dir: string,
  given: Partial<Identity> = {},
  role: 'gateway' | 'coordinator' = 'gateway',
): Promise<Identity> {
  await openStateDir(dir);
  let stored = await load(dir);
  if (stored === undefined) {
    const id = randomUUID();
    const fresh: Identity = { issuer: `urn:cutlayer:issuer:${id}`, audience: `urn:cutlayer:${role}:${id}`, ...given };
    await createStateFile(dir, IDENTITY_FILE, `${JSON.stringify(fresh)}\n`);
    stored = (await load(dir)) ?? fresh;
  }
  const wanted: Identity = { ...stored, ...given };
  if (wanted.issuer !== stored.issuer || wanted.audience !== stored.audience) {
    await writeStateFile(dir, IDENTITY_FILE, `${JSON.stringify(wanted)}\n`);
  }
  return wanted;
}
