/** The files of a checkpoint beside its weights: config, generation config and tokenizer. */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { digestFile } from '../../artifacts/digest.js';
import type { ArtifactFile } from '../../artifacts/manifest.js';
import { CutlayerError } from '../../errors.js';
import { parseJson } from '../../files/json-text.js';
import { silently } from '../../files/silence.js';

const MAX_CONFIG_BYTES = 4 << 20;

/** Files that turn text into tokens, copied unchanged if they exist. */
const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'generation_config.json',
];

/** Chat templates by name, beside the default one; and most of them. */
const TEMPLATE_DIRECTORY = 'additional_chat_templates';
const MAX_TEMPLATES = 64;

/** Files of a tokenizer in formats that are not read. */
const OTHER_TOKENIZERS = [
  'tokenizer.model',
  'spiece.model',
  'sentencepiece.bpe.model',
  'tiktoken.model',
  'vocab.json',
  'tokenizer_config.json',
];

/**
 * The text of `config.json`.
 * @throws CutlayerError NOT_FOUND, INVALID_CONFIG
 */
export async function readConfig(dir: string): Promise<string> {
  const path = join(dir, 'config.json');
  const found = await stat(path).catch((cause: unknown) => {
    const isName = /^[\w-]+\/[\w.-]+$/.test(dir) && !existsSync(dir);
    const next = isName
      ? `Is ${dir} a model of the Hugging Face Hub? Download it first: hf download ${dir} --local-dir ./${basename(dir)}`
      : 'Is this a Hugging Face checkpoint directory?';
    throw new CutlayerError('NOT_FOUND', `${path}: no such file. ${next}`, { cause });
  });
  if (!found.isFile() || found.size > MAX_CONFIG_BYTES)
    throw new CutlayerError('INVALID_CONFIG', `${path}: expected a file of at most ${MAX_CONFIG_BYTES} bytes`);
  return readFile(path, 'utf8');
}

/** Copies the tokenizer files that exist. @throws CutlayerError UNSUPPORTED_CHECKPOINT */
export async function copyTokenizerFiles(from: string, to: string, signal?: AbortSignal): Promise<readonly ArtifactFile[]> {
  const copied: ArtifactFile[] = [];
  for (const path of [...TOKENIZER_FILES, ...(await namedTemplates(from))]) {
    signal?.throwIfAborted();
    const found = await stat(join(from, path)).catch(() => undefined);
    if (found === undefined || !found.isFile()) continue;
    await mkdir(join(to, dirname(path)), { recursive: true });
    await copyFile(join(from, path), join(to, path));
    copied.push({ path, ...(await digestFile(join(to, path), signal)) });
  }
  return copied;
}

async function namedTemplates(from: string): Promise<readonly string[]> {
  const names = await readdir(join(from, TEMPLATE_DIRECTORY)).catch(() => []);
  const templates = names.filter((name) => name.endsWith('.jinja')).sort();
  if (templates.length > MAX_TEMPLATES)
    throw new CutlayerError(
      'UNSUPPORTED_CHECKPOINT',
      `${join(from, TEMPLATE_DIRECTORY)}: ${templates.length} chat templates, the most is ${MAX_TEMPLATES}; take some away`,
    );
  return templates.map((name) => `${TEMPLATE_DIRECTORY}/${name}`);
}

/**
 * Refuses a tokenizer that clients cannot read, before anything is written.
 * @throws CutlayerError UNSUPPORTED_CHECKPOINT when a client could not read the tokenizer
 */
export async function checkTokenizer(dir: string): Promise<void> {
  const file = join(dir, 'tokenizer.json');
  const found = await stat(file).catch(() => undefined);
  if (found === undefined || !found.isFile()) return refuseOtherTokenizer(dir);
  const config = await readFile(join(dir, 'tokenizer_config.json'), 'utf8').catch(() => '{}');
  try {
    const json = parseJson(await readFile(file, 'utf8')) as object;
    silently(() => new Tokenizer(json, parseJson(config) as object));
  } catch (cause) {
    throw new CutlayerError(
      'UNSUPPORTED_CHECKPOINT',
      `${file}: cannot be read as a Hugging Face tokenizer; save it again with tokenizer.save_pretrained, or take it away and let clients bring token ids`,
      { cause },
    );
  }
}

/** A checkpoint without any tokenizer is packed; one in another format would be lost in silence. */
async function refuseOtherTokenizer(dir: string): Promise<void> {
  const names = await readdir(dir);
  const held = OTHER_TOKENIZERS.filter((name) => names.includes(name));
  if (held.length === 0) return;
  throw new CutlayerError(
    'UNSUPPORTED_CHECKPOINT',
    `${dir}: holds ${held.join(', ')} but no tokenizer.json, which clients read. Convert it with pip install transformers sentencepiece protobuf, then python -c ` +
      `"from transformers import AutoTokenizer as T; T.from_pretrained('${dir}').save_pretrained('${dir}')"; or take ${held.length > 1 ? 'them' : 'it'} away and let clients bring token ids`,
  );
}
