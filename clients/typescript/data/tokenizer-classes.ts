/**
 * Tokenizer classes of transformers 5 that take the vocabulary of tokenizer.json, and build its
 * normalizer and pre-tokenizer themselves. Other classes take tokenizer.json as it is.
 * @see transformers, models/auto/tokenization_auto.py and models/<model>/tokenization_<model>.py
 */

/** Parsed `tokenizer_config.json`. */
export type TokenizerConfig = Readonly<Record<string, unknown>>;

/** What a class puts in the place of parts of tokenizer.json, and names of tokens by default. */
interface ClassParts {
  readonly parts: Readonly<Record<string, unknown>>;
  readonly names: Readonly<Record<string, string>>;
}

const QWEN_SPLIT =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const END_OF_TEXT = '<|endoftext|>';

type Builder = (model: object, config: TokenizerConfig) => ClassParts;

const builders: Readonly<Record<string, Builder>> = {
  LlamaTokenizer: (model, { add_prefix_space, legacy }) => ({
    parts: {
      normalizer: null,
      pre_tokenizer: {
        type: 'Metaspace',
        replacement: '\u2581',
        prepend_scheme: add_prefix_space === false ? 'never' : legacy === true ? 'always' : 'first',
        split: false,
      },
      model: { ...model, byte_fallback: true, fuse_unk: true, ignore_merges: false },
    },
    names: { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' },
  }),
  GPT2Tokenizer: (model, { add_prefix_space }) => ({
    parts: {
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: add_prefix_space === true, trim_offsets: true, use_regex: true },
      model: { ...model, fuse_unk: false, byte_fallback: false, ignore_merges: false },
    },
    names: { bos_token: END_OF_TEXT, eos_token: END_OF_TEXT, unk_token: END_OF_TEXT },
  }),
  Qwen2Tokenizer: (model, { add_prefix_space }) => ({
    parts: {
      normalizer: { type: 'NFC' },
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          { type: 'Split', pattern: { Regex: QWEN_SPLIT }, behavior: 'Isolated', invert: false },
          { type: 'ByteLevel', add_prefix_space: add_prefix_space === true, trim_offsets: true, use_regex: false },
        ],
      },
      model: { ...model, fuse_unk: false, byte_fallback: false, ignore_merges: false },
    },
    names: { eos_token: END_OF_TEXT, pad_token: END_OF_TEXT, unk_token: END_OF_TEXT },
  }),
  GemmaTokenizer: (model) => ({
    parts: {
      normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' },
      pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious', invert: false },
      model: { ...model, fuse_unk: true, byte_fallback: true, ignore_merges: false },
    },
    names: { bos_token: '<bos>', eos_token: '<eos>', unk_token: '<unk>', pad_token: '<pad>' },
  }),
};

/** The class that transformers has for a family; families without a row take any class. */
const classOfFamily: Readonly<Record<string, string>> = {
  gpt2: 'GPT2Tokenizer',
  llama: 'LlamaTokenizer',
  qwen2: 'Qwen2Tokenizer',
  qwen3: 'Qwen2Tokenizer',
  gemma: 'GemmaTokenizer',
  gemma2: 'GemmaTokenizer',
  gemma3_text: 'GemmaTokenizer',
  mistral: 'TokenizersBackend',
  phi3: 'TokenizersBackend',
  olmo2: 'TokenizersBackend',
  granite: 'TokenizersBackend',
};

/** Families whose published configurations name a wrong class. */
const ownClassCounts: ReadonlySet<string> = new Set(['qwen2']);

/** The parts that the tokenizer's class makes; none where tokenizer.json counts. */
export function classParts(json: object, config: TokenizerConfig, family: string | undefined): ClassParts {
  const { model } = json as { readonly model?: { readonly type?: string } };
  const build = builders[className(config.tokenizer_class, family) ?? ''];
  if (build === undefined || model === undefined || (model.type ?? 'BPE') !== 'BPE') return { parts: {}, names: {} };
  return build(model, config);
}

function className(given: unknown, family: string | undefined): string | undefined {
  const named = typeof given === 'string' ? given.replace(/Fast$/, '') : undefined;
  const own = family === undefined ? undefined : classOfFamily[family];
  if (named === undefined) return undefined;
  if (own === undefined || own === named) return named;
  if (own === 'TokenizersBackend') return undefined;
  return family !== undefined && ownClassCounts.has(family) ? own : named;
}
