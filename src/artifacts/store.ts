/**
 * Opens packed artifacts. Every file of the manifest must be a regular file inside the directory,
 * of the stated size and sha256. The runtime and the client may trust the result.
 */
import { lstat, readFile, realpath } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import type { z } from 'zod';
import { CutlayerError } from '../errors.js';
import { digestFile, sha256Hex } from './digest.js';
import {
  type ArtifactFile,
  type BackboneManifest,
  backboneManifestSchema,
  type ClientBundleManifest,
  clientBundleManifestSchema,
  parseManifest,
} from './manifest.js';

export const MANIFEST_FILE = 'manifest.json';

const MAX_MANIFEST_BYTES = 16 << 20;

interface Artifact<Manifest> {
  /** Absolute directory. */
  readonly dir: string;
  readonly manifest: Manifest;
  /** sha256 of `manifest.json`, hex: a backbone's identity on the wire and in client bundles. */
  readonly digest: string;
}

export type BackboneArtifact = Artifact<BackboneManifest>;
export type ClientBundleArtifact = Artifact<ClientBundleManifest>;

export interface LoadOptions {
  /** False skips the sha256 (not the size) of the weights file only. Default true. */
  readonly verify?: boolean;
  /** The public key that must have signed the manifest, base64url; absent, none must. */
  readonly signer?: string | undefined;
  readonly signal?: AbortSignal;
}

/**
 * Opens `backbone/`.
 * @throws CutlayerError NOT_FOUND (no such artifact), INVALID_ARTIFACT (manifest or files),
 *   DIGEST_MISMATCH, SIGNATURE_REJECTED.
 */
export function loadBackbone(dir: string, options: LoadOptions = {}): Promise<BackboneArtifact> {
  return load(dir, backboneManifestSchema, 'backbone', options);
}

/** Opens `client-bundle/`. @throws CutlayerError as {@link loadBackbone} */
export function loadClientBundle(dir: string, options: LoadOptions = {}): Promise<ClientBundleArtifact> {
  return load(dir, clientBundleManifestSchema, 'client bundle', options);
}

/**
 * The public key that signed the manifest of an artifact; undefined when none did.
 * @throws CutlayerError NOT_FOUND, INVALID_ARTIFACT, SIGNATURE_REJECTED
 */
export async function artifactSigner(dir: string): Promise<string | undefined> {
  const { signerOf } = await import('./signature.js');
  return signerOf(dir, await readManifest(join(dir, MANIFEST_FILE), 'artifact', dir));
}

async function load<T extends { readonly files: readonly ArtifactFile[]; readonly weightsFile: string }>(
  dir: string,
  schema: z.ZodType<T>,
  what: string,
  options: LoadOptions,
): Promise<Artifact<T>> {
  const path = join(dir, MANIFEST_FILE);
  const bytes = await readManifest(path, what, dir);
  if (options.signer !== undefined) await (await import('./signature.js')).requireSigner(dir, bytes, options.signer);
  const manifest = parseManifest(schema, bytes.toString('utf8'), path);
  const root = await realpath(resolve(dir));
  for (const file of manifest.files) {
    const skipDigest = options.verify === false && file.path === manifest.weightsFile;
    await checkFile(root, file, skipDigest, options.signal);
  }
  return { dir: root, manifest, digest: sha256Hex(bytes) };
}

async function readManifest(path: string, what: string, dir: string): Promise<Buffer> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined)
    throw new CutlayerError('NOT_FOUND', `${dir}: no ${what} here (no ${MANIFEST_FILE}); write one with cutlayer pack`);
  if (!found.isFile() || found.size > MAX_MANIFEST_BYTES)
    throw new CutlayerError('INVALID_ARTIFACT', `${path}: expected a regular file of at most ${MAX_MANIFEST_BYTES} bytes`);
  return readFile(path);
}

async function checkFile(root: string, file: ArtifactFile, skipDigest: boolean, signal: AbortSignal | undefined): Promise<void> {
  const path = join(root, file.path);
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) throw new CutlayerError('INVALID_ARTIFACT', `${path}: the manifest names this file, but it is missing`);
  if (!found.isFile()) throw new CutlayerError('INVALID_ARTIFACT', `${path}: expected a regular file, got a link or a directory`);
  if (!(await realpath(path)).startsWith(root + sep))
    throw new CutlayerError('INVALID_ARTIFACT', `${path}: lies outside the artifact directory (a directory on its way is a link)`);
  if (found.size !== file.bytes)
    throw new CutlayerError('INVALID_ARTIFACT', `${path}: expected ${file.bytes} bytes, got ${found.size}; copy or pack it again`);
  if (skipDigest) return;
  const { sha256 } = await digestFile(path, signal);
  if (sha256 !== file.sha256)
    throw new CutlayerError('DIGEST_MISMATCH', `${path}: expected sha256 ${file.sha256}, got ${sha256}; copy or pack it again`, {
      details: { file: file.path },
    });
}
