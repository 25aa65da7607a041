/**
 * `cutlayer_adapter.json`: our method's name, the digests of backbone and tokenizer, and the parts
 * of a combination. PEFT ignores it; a directory without it loads too, checked by shapes alone.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { writeFileAtomic } from '../../../src/files/atomic-file.js';
import { type MethodName, methodNames } from './adapter.js';
import { jsonOf, parseConfig } from './adapter-config.js';
import type { ModelIdentity } from './context.js';

export const SIDECAR_FILE = 'cutlayer_adapter.json';

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const schema = z.strictObject({
  format: z.literal('cutlayer-adapter'),
  formatVersion: z.literal(1),
  method: z.enum([...methodNames, 'combined']),
  backboneDigest: digest,
  /** Null when the bundle had no tokenizer. */
  tokenizerDigest: digest.nullable(),
  /** Of a combination: subdirectories, one of each part. */
  parts: z
    .array(z.string().regex(/^[a-z0-9-]{1,64}$/, 'expected the plain name of a subdirectory'))
    .min(2)
    .max(16)
    .optional(),
  /** Names of an adapter's tasks, by id. */
  tasks: z.array(z.string().min(1)).max(100_000).optional(),
  /** Names of an adapter's classes, by id. */
  labels: z.array(z.string().min(1)).max(100_000).optional(),
});

export type Sidecar = z.infer<typeof schema>;

/** What a method may add to the file. */
export interface SidecarNames {
  readonly parts?: readonly string[];
  readonly tasks?: readonly string[];
  readonly labels?: readonly string[];
}

export async function writeSidecar(
  dir: string,
  method: MethodName | 'combined',
  identity: ModelIdentity,
  names: SidecarNames = {},
): Promise<void> {
  const sidecar: Sidecar = {
    format: 'cutlayer-adapter',
    formatVersion: 1,
    method,
    backboneDigest: identity.backboneDigest,
    tokenizerDigest: identity.tokenizerDigest ?? null,
    ...Object.fromEntries(Object.entries(names).map(([key, list]) => [key, [...list]])),
  };
  await writeFileAtomic(join(dir, SIDECAR_FILE), `${JSON.stringify(sidecar, null, 2)}\n`);
}

/** Reads the file; undefined when the directory has none. @throws CutlayerError INVALID_ADAPTER */
export async function readSidecar(dir: string): Promise<Sidecar | undefined> {
  const file = join(dir, SIDECAR_FILE);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  return parseConfig(file, schema, jsonOf(file, text));
}

/** @throws CutlayerError ADAPTER_MISMATCH for another tokenizer or backbone, saying what to do */
export function checkSidecar(dir: string, sidecar: Sidecar, identity: ModelIdentity): void {
  const { backboneDigest, tokenizerDigest } = identity;
  if (sidecar.tokenizerDigest !== null && tokenizerDigest !== undefined && sidecar.tokenizerDigest !== tokenizerDigest) {
    throw new CutlayerError(
      'ADAPTER_MISMATCH',
      `${dir}: was trained with tokenizer ${short(sidecar.tokenizerDigest)}, but this bundle's tokenizer.json is ${short(tokenizerDigest)}; ` +
        'its token ids would mean other texts: use the client bundle that it was trained with, or pack the checkpoint with the same tokenizer',
      { details: { adapter: sidecar.tokenizerDigest, bundle: tokenizerDigest } },
    );
  }
  if (sidecar.backboneDigest !== backboneDigest) {
    throw new CutlayerError(
      'ADAPTER_MISMATCH',
      `${dir}: was trained against backbone ${short(sidecar.backboneDigest)}, but this bundle belongs to ${short(backboneDigest)} (another model, or ` +
        'another cut of it); use the client bundle that it was trained with. If both were packed from the same checkpoint, ' +
        `delete ${SIDECAR_FILE} there: PEFT's files fit every cut that holds what they change`,
      { details: { adapter: sidecar.backboneDigest, bundle: backboneDigest } },
    );
  }
}

const short = (sha256: string): string => sha256.slice(0, 12);
