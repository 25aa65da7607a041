/**
 * A Hugging Face checkpoint directory: `model.safetensors`, or shards under
 * `model.safetensors.index.json`. Pickle checkpoints are refused, because unpickling runs code.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../errors.js';
import { parseJson } from '../files/json-text.js';
import type { TensorInfo } from './header.js';
import { openSafetensors, type SafetensorsFile } from './reader.js';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
const MAX_INDEX_BYTES = 100_000_000;
const MAX_SHARDS = 2048;

/** The weights of a checkpoint, in one file or in shards. */
export interface Checkpoint {
  readonly dir: string;
  /** The weights files, by their names in `dir`. */
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, Pick<TensorInfo, 'dtype' | 'shape'>>;
  /** As {@link SafetensorsFile.chunks}. */
  chunks(name: string, signal?: AbortSignal): AsyncGenerator<Float32Array>;
  close(): Promise<void>;
}

/**
 * Opens a checkpoint directory and checks every header in it.
 * @throws CutlayerError NOT_FOUND, UNSUPPORTED_CHECKPOINT (pickle or other formats),
 *   INVALID_SAFETENSORS, MISSING_TENSOR
 */
export async function openCheckpoint(dir: string): Promise<Checkpoint> {
  const names = await readdir(dir).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${dir}: no such checkpoint directory`, { cause });
  });
  if (names.includes(SINGLE)) return checkpointOf(dir, new Map([[SINGLE, await openSafetensors(join(dir, SINGLE))]]));
  if (names.includes(INDEX)) return openSharded(dir);
  const foreign = names.find((name) => /\.(bin|pt|pth|ckpt|h5|msgpack|gguf)$|^pytorch_model\.bin\.index\.json$/.test(name));
  if (foreign === undefined)
    throw new CutlayerError('NOT_FOUND', `${dir}: holds no ${SINGLE} and no ${INDEX}; is this a checkpoint directory?`);
  throw new CutlayerError(
    'UNSUPPORTED_CHECKPOINT',
    `${dir}: holds ${foreign} but no safetensors, and pickle and other formats are not read. Convert it, where you trust the file: python -c ` +
      `"from transformers import AutoModelForCausalLM as M; M.from_pretrained('${dir}').save_pretrained('OUT', safe_serialization=True)"`,
  );
}

async function openSharded(dir: string): Promise<Checkpoint> {
  const weightMap = await readIndex(join(dir, INDEX));
  const shards = new Map<string, SafetensorsFile>();
  try {
    for (const shard of new Set(weightMap.values())) shards.set(shard, await openSafetensors(join(dir, shard)));
    for (const [name, shard] of weightMap) {
      if (!shards.get(shard)!.tensors.has(name))
        throw new CutlayerError('MISSING_TENSOR', `${INDEX}: says that ${shard} holds ${name}; it does not`);
    }
    for (const [shard, file] of shards) {
      for (const name of file.tensors.keys()) {
        if (weightMap.get(name) !== shard)
          throw new CutlayerError(
            'INVALID_SAFETENSORS',
            `${shard}: holds ${name}, which ${INDEX} puts in ${weightMap.get(name) ?? 'no shard'}`,
          );
      }
    }
    return checkpointOf(dir, shards);
  } catch (error) {
    await Promise.all([...shards.values()].map((file) => file.close()));
    throw error;
  }
}

async function readIndex(path: string): Promise<Map<string, string>> {
  const fail = (what: string): CutlayerError => new CutlayerError('INVALID_SAFETENSORS', `${path}: ${what}`);
  const { size } = await stat(path);
  if (size > MAX_INDEX_BYTES) throw fail(`the index may have at most ${MAX_INDEX_BYTES} bytes, it has ${size}`);
  let index: unknown;
  try {
    index = parseJson(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new CutlayerError('INVALID_SAFETENSORS', `${path}: expected JSON`, { cause });
  }
  const map = isRecord(index) ? index.weight_map : undefined;
  if (!isRecord(map)) throw fail('expected {"weight_map": {tensor: file}}');
  const weightMap = new Map<string, string>();
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || !/^[A-Za-z0-9_][A-Za-z0-9._-]*\.safetensors$/.test(shard))
      throw fail(`${name}: expected the name of a .safetensors file in the same directory, got ${JSON.stringify(shard).slice(0, 64)}`);
    weightMap.set(name, shard);
  }
  const shards = new Set(weightMap.values()).size;
  if (shards === 0 || shards > MAX_SHARDS) throw fail(`expected 1..${MAX_SHARDS} shards, got ${shards}`);
  return weightMap;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkpointOf(dir: string, files: ReadonlyMap<string, SafetensorsFile>): Checkpoint {
  const home = new Map<string, SafetensorsFile>();
  const tensors = new Map<string, TensorInfo>();
  for (const file of files.values()) {
    for (const [name, info] of file.tensors) {
      home.set(name, file);
      tensors.set(name, info);
    }
  }
  return {
    dir,
    files: [...files.keys()],
    tensors,
    chunks(name, signal) {
      const file = home.get(name);
      if (file === undefined) throw new CutlayerError('MISSING_TENSOR', `${dir}: holds no tensor ${name}`);
      return file.chunks(name, signal);
    },
    close: async () => {
      await Promise.all([...files.values()].map((file) => file.close()));
    },
  };
}
