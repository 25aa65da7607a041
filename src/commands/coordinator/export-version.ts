/**
 * Writes a version with its proof: parameters, manifest and the whole chain. With a bundle, it also
 * writes the adapter in PEFT's files.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { federatedAdapter, setFlatValues } from '../../../clients/typescript/federation/federated-adapter.js';
import { ClientBundle } from '../../../clients/typescript/model/client-bundle.js';
import { CutlayerError } from '../../errors.js';
import { writeDirectoryAtomic, writeFileAtomic } from '../../files/atomic-file.js';
import { type OpenManifest, parametersDigest, updateLength } from '../../protocol/federation/manifest.js';
import { decodeTensor } from '../../protocol/wire/tensor-codec.js';
import { writeTensors } from '../../safetensors/tensors-file.js';
import { f32, type Tensor } from '../../tensor/tensor.js';
import type { FounderConnection } from './founder-connection.js';
import { fetchChain, promotedVersion, type VerifiedChain, versionDigest } from './verified-chain.js';

/** What to export, and where to. */
export interface ExportRequest {
  readonly federation: string;
  /** Default: the promoted one. */
  readonly version?: number | undefined;
  readonly out: string;
  /** Directory of the client bundle that the federation was founded with. */
  readonly bundle?: string | undefined;
  /** The public key that must have signed the bundle's manifest. */
  readonly signer?: string | undefined;
}

/** What was exported. */
export interface Exported {
  readonly version: number;
  readonly digest: string;
  readonly out: string;
  /** Directory of PEFT's files; undefined without a bundle. */
  readonly adapter: string | undefined;
}

/**
 * Fetches a version, holds it against the signed chain, and writes it whole or not at all.
 * @throws CutlayerError ALREADY_EXISTS, NOT_FOUND, DIGEST_MISMATCH, BACKBONE_MISMATCH,
 *   MANIFEST_REJECTED, BROADCAST_REJECTED
 */
export async function exportVersion(connection: FounderConnection, request: ExportRequest): Promise<Exported> {
  const { federation, out } = request;
  await refuseOccupied(out);
  const chain = await fetchChain(connection, federation);
  const version = request.version ?? promotedVersion(chain.broadcasts);
  if (version === undefined) {
    throw new CutlayerError('NOT_FOUND', 'the federation has not begun, so no version is promoted yet; start it, or pass --version');
  }
  const digest = versionDigest(chain.broadcasts, version);
  const { parameters } = await connection.call('GetVersion', { federation, version });
  const length = updateLength(chain.open.manifest);
  const { data } = decodeTensor(parameters, { name: `version ${version}`, shape: [length], maxElements: length });
  const got = parametersDigest(data);
  if (got !== digest) {
    throw new CutlayerError('DIGEST_MISMATCH', `version ${version}: expected the broadcast digest ${digest}, got ${got}`);
  }
  const values = data as Float32Array;
  await writeDirectoryAtomic(out, async (dir) => {
    await writeProof(dir, chain);
    await writeTensors(join(dir, 'parameters.safetensors'), namedTensors(chain.open, values), {
      federation,
      version: String(version),
      digest,
    });
    if (request.bundle !== undefined) await writeAdapter(join(dir, 'adapter'), { ...request, bundle: request.bundle }, chain.open, values);
  });
  return { version, digest, out, adapter: request.bundle === undefined ? undefined : join(out, 'adapter') };
}

async function refuseOccupied(out: string): Promise<void> {
  const names = await readdir(out).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw new CutlayerError('IO_ERROR', `${out}: expected a directory, or nothing yet`, { cause });
  });
  if (names.length === 0) return;
  throw new CutlayerError('ALREADY_EXISTS', `${out}: holds files already; choose a new directory with --out`);
}

async function writeProof(dir: string, { open, signed }: VerifiedChain): Promise<void> {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const lines = signed.map(({ bytes, signature }) => `${JSON.stringify({ bytes: base64(bytes), signature: base64(signature) })}\n`);
  await writeFileAtomic(join(dir, 'manifest.json'), open.bytes);
  await writeFileAtomic(join(dir, 'manifest.sig'), `${Buffer.from(open.signature).toString('hex')}\n`);
  await writeFileAtomic(join(dir, 'chain.jsonl'), lines.join(''));
}

function namedTensors({ manifest }: OpenManifest, values: Float32Array): Readonly<Record<string, Tensor>> {
  let at = 0;
  return Object.fromEntries(
    manifest.parameters.map(({ name, shape }) => {
      const end = at + shape.reduce((product, dim) => product * dim, 1);
      const tensor = f32(shape, values.subarray(at, end));
      at = end;
      return [name, tensor];
    }),
  );
}

async function writeAdapter(
  dir: string,
  { bundle: bundleDir, signer }: ExportRequest & { readonly bundle: string },
  { manifest }: OpenManifest,
  values: Float32Array,
): Promise<void> {
  const bundle = await ClientBundle.open(bundleDir, { signer });
  try {
    if (bundle.manifest.backboneDigest !== manifest.backboneDigest) {
      throw new CutlayerError(
        'BACKBONE_MISMATCH',
        `${bundleDir}: the bundle belongs to backbone ${bundle.manifest.backboneDigest.slice(0, 12)}, the federation to ` +
          `${manifest.backboneDigest.slice(0, 12)}; pass the bundle that it was founded with`,
      );
    }
    const adapter = await federatedAdapter({ bundle }, manifest);
    setFlatValues(adapter, values);
    await mkdir(dir);
    await adapter.save(dir);
  } finally {
    await bundle.close();
  }
}
