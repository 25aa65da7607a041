/**
 * Profiles: connections that a person uses again. Each is a directory of mode 0700 with files of
 * mode 0600. Beside profile.json they are `ca.pem`, `token`, `client.pem` and `client-key.pem`,
 * where these were given as text.
 */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../../../../src/errors.js';
import { syncDirectory, writeDirectoryAtomic, writeFileAtomic } from '../../../../src/files/atomic-file.js';
import { parseJson } from '../../../../src/files/json-text.js';
import type { ClientCertificate } from '../../connection/client-certificate.js';
import { homeDir } from './home-dir.js';

/** The version of profile.json. */
export const PROFILE_FORMAT = 1;
const FILE = 'profile.json';
const CA_FILE = 'ca.pem';
const TOKEN_FILE = 'token';
const CERTIFICATE_FILE = 'client.pem';
const CERTIFICATE_KEY_FILE = 'client-key.pem';
const MAX_BYTES = 64 * 1024;

const text = z.string().min(1).max(4096);
const schema = z.strictObject({
  format: z.literal(PROFILE_FORMAT),
  bundle: text,
  gateway: text,
  ca: text.optional(),
  tokenFile: text.optional(),
  clientCert: text.optional(),
  clientKey: text.optional(),
  insecure: z.literal(true).optional(),
  signer: text.optional(),
});

/** A connection; paths are absolute. */
export type Profile = Omit<z.infer<typeof schema>, 'format'>;

/** What is written: paths as in a profile, and contents that get a file of their own. */
export interface NewProfile extends Omit<Profile, 'ca'> {
  /** PEM. */
  readonly caText?: string | undefined;
  /** Kept in the profile in place of `tokenFile`: a token, or a client's credentials. */
  readonly token?: string | undefined;
  /** Kept in the profile in place of `clientCert` and `clientKey`. */
  readonly certificate?: ClientCertificate | undefined;
}

/** Where profiles are. */
export function profilesDir(environment: NodeJS.ProcessEnv = process.env): string {
  return join(homeDir(environment), 'profiles');
}

/** The names of all profiles, sorted. */
export async function profileNames(): Promise<readonly string[]> {
  const entries = await readdir(profilesDir(), { withFileTypes: true }).catch(() => []);
  return entries.flatMap((entry) => (entry.isDirectory() && !entry.name.startsWith('.') ? [entry.name] : [])).sort();
}

/** A profile; undefined when there is none. @throws CutlayerError INVALID_OPTION */
export async function findProfile(name: string): Promise<Profile | undefined> {
  const dir = join(profilesDir(), name);
  const path = join(dir, FILE);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  try {
    if (!found.isFile() || found.size > MAX_BYTES) throw new Error(`expected a file of at most ${MAX_BYTES} bytes`);
    const { format: _, ...profile } = schema.parse(parseJson(await readFile(path, 'utf8')));
    const absolute = (names: readonly ('ca' | 'tokenFile' | 'clientCert' | 'clientKey')[]) =>
      Object.fromEntries(names.flatMap((name) => (profile[name] === undefined ? [] : [[name, resolve(dir, profile[name])]])));
    return { ...profile, ...absolute(['ca', 'tokenFile', 'clientCert', 'clientKey']) };
  } catch (cause) {
    throw new CutlayerError('INVALID_OPTION', `${path}: not a profile of this version; write it again with cutlayer client login`, {
      cause,
    });
  }
}

/** @throws CutlayerError NOT_FOUND naming the profiles that there are; INVALID_OPTION */
export async function readProfile(name: string): Promise<Profile> {
  const profile = await findProfile(name);
  if (profile === undefined) throw await noProfile(name);
  return profile;
}

/** Writes or replaces a profile. @returns its directory @throws CutlayerError IO_ERROR */
export async function writeProfile(name: string, { caText, token, certificate, ...profile }: NewProfile): Promise<string> {
  const dir = join(profilesDir(), name);
  const content: z.input<typeof schema> = {
    format: PROFILE_FORMAT,
    ...profile,
    ...(caText !== undefined && { ca: CA_FILE }),
    ...(token !== undefined && { tokenFile: TOKEN_FILE }),
    ...(certificate !== undefined && { clientCert: CERTIFICATE_FILE, clientKey: CERTIFICATE_KEY_FILE }),
  };
  await writeDirectoryAtomic(dir, async (temporary) => {
    if (caText !== undefined) await writeFileAtomic(join(temporary, CA_FILE), caText);
    if (token !== undefined) await writeFileAtomic(join(temporary, TOKEN_FILE), `${token}\n`);
    if (certificate !== undefined) {
      await writeFileAtomic(join(temporary, CERTIFICATE_KEY_FILE), certificate.key);
      await writeFileAtomic(join(temporary, CERTIFICATE_FILE), certificate.cert);
    }
    await writeFileAtomic(join(temporary, FILE), `${JSON.stringify(content, undefined, 2)}\n`);
  });
  return dir;
}

/** Removes a profile and the token in it. @throws CutlayerError NOT_FOUND, IO_ERROR */
export async function removeProfile(name: string): Promise<void> {
  const dir = join(profilesDir(), name);
  if ((await stat(dir).catch(() => undefined)) === undefined) throw await noProfile(name);
  await rm(dir, { recursive: true });
  await syncDirectory(profilesDir());
}

async function noProfile(name: string): Promise<CutlayerError> {
  const names = await profileNames();
  const known = names.length === 0 ? 'there are none yet' : `there are ${names.slice(0, 20).join(', ')}`;
  return new CutlayerError('NOT_FOUND', `there is no profile ${name}: ${known}; make it with cutlayer client login --profile ${name}`);
}
