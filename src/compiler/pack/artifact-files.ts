/** What the directories of a packed model hold besides their graphs, and what they are called, wherever the backbone comes from. */
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { sha256Hex } from '../../artifacts/digest.js';
import type { BackboneManifest, ClientBundleManifest, Cut } from '../../artifacts/manifest.js';
import { MANIFEST_FILE } from '../../artifacts/store.js';

/** The two artifacts' directories below the output directory. */
export const BACKBONE_DIR = 'backbone';
export const CLIENT_BUNDLE_DIR = 'client-bundle';

/** The weights of either. */
export const WEIGHTS_FILE = 'weights.safetensors';

/** Bytes of float32 weights written so far, of all. */
export interface PackProgress {
  readonly done: number;
  readonly total: number;
  /** The weight being converted. */
  readonly weight: string;
}

/** What packing made. */
export interface PackResult {
  readonly backboneDir: string;
  readonly clientBundleDir: string;
  readonly backboneDigest: string;
  readonly cut: Cut;
  /** Scalars among the weights of each side; together the whole model. */
  readonly parameters: { readonly backbone: number; readonly client: number };
  /** Bytes of each side's weights file. */
  readonly weightBytes: { readonly backbone: number; readonly client: number };
  /** The bundle holds a tokenizer. */
  readonly hasTokenizer: boolean;
}

/** Whether a directory that holds these names may be written over: with `force`, and when packing made it. */
export function mayReplace(force: boolean | undefined): (names: readonly string[]) => boolean {
  return (names) => force === true && names.every((name) => name === BACKBONE_DIR || name === CLIENT_BUNDLE_DIR);
}

/** Writes a manifest. @returns its sha256 */
export async function writeManifest(dir: string, manifest: BackboneManifest | ClientBundleManifest): Promise<string> {
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  await writeFile(join(dir, MANIFEST_FILE), text);
  return sha256Hex(text);
}

/** Tells what was made. @param outDir Where the two directories will be in the end. */
export function packResult(
  outDir: string,
  backbone: { readonly manifest: BackboneManifest; readonly digest: string },
  client: ClientBundleManifest,
): PackResult {
  return {
    backboneDir: join(resolve(outDir), BACKBONE_DIR),
    clientBundleDir: join(resolve(outDir), CLIENT_BUNDLE_DIR),
    backboneDigest: backbone.digest,
    cut: client.cut,
    parameters: { backbone: backbone.manifest.parameters, client: client.parameters },
    weightBytes: { backbone: weightBytes(backbone.manifest), client: weightBytes(client) },
    hasTokenizer: client.tokenizerFiles.includes('tokenizer.json'),
  };
}

function weightBytes({ files }: BackboneManifest | ClientBundleManifest): number {
  return files.find(({ path }) => path === WEIGHTS_FILE)!.bytes;
}
