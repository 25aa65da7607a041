/**
 * What a checkpoint's tokenizer files say together, as transformers 5 reads them. It says which
 * names and added tokens count, and what a class puts in the place of parts of tokenizer.json.
 * @see transformers, tokenization_utils_base.py, tokenization_utils_tokenizers.py
 */
import type { AddedToken } from './added-tokens.js';
import type { TokenizerJson } from './text-encoding.js';
import { classParts, type TokenizerConfig } from './tokenizer-classes.js';

/** Parsed files beside tokenizer.json. */
export interface SideFiles {
  readonly config: TokenizerConfig;
  readonly specialTokensMap?: TokenizerConfig | undefined;
  readonly addedTokens?: Readonly<Record<string, unknown>> | undefined;
}

/** A tokenizer as transformers builds it. */
export interface ReadTokenizer {
  readonly json: TokenizerJson & object;
  readonly config: TokenizerConfig;
  /** Whether no file names the eos token, so that the conventional one counts. */
  readonly conventionalEos: boolean;
}

/** Special tokens that a configuration names. */
export const tokenNames = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'] as const;

/** One configuration: older files count where the newer one lists no added tokens. */
export function withSideFiles({ config, specialTokensMap, addedTokens }: SideFiles): TokenizerConfig {
  if (config.added_tokens_decoder != null) return config;
  const named = { ...config, ...specialTokensMap };
  if (addedTokens === undefined) return named;
  const special = new Set([...tokenNames.map((name) => tokenText(named[name])), ...extraTokens(named).map(tokenText)]);
  const decoder = Object.entries(addedTokens).map(([content, id]) => [
    String(id),
    { content, normalized: !special.has(content), special: special.has(content) },
  ]);
  return { ...named, added_tokens_decoder: Object.fromEntries(decoder) as object };
}

/** @param family The model's, which decides between a configuration's class and its own. */
export function readTokenizer(json: TokenizerJson & object, given: TokenizerConfig, family: string | undefined): ReadTokenizer {
  const { parts, names } = classParts(json, given, family);
  const added = [...(json.added_tokens ?? [])];
  const contents = new Set(added.map(({ content }) => content));
  const there = Object.entries(names).filter(([, content]) => contents.has(content) || vocabularyId(json, content) !== undefined);
  const named = { ...Object.fromEntries(there), ...withoutNull(given) };
  const conventional = (name: 'bos_token' | 'eos_token', content: string): TokenizerConfig =>
    tokenText(named[name]) === undefined && added.some((token) => token.content === content && token.special === true)
      ? { [name]: content }
      : {};
  // The names that transformers gives a tokenizer without any.
  const eos = conventional('eos_token', '</s>');
  const config = { ...named, ...conventional('bos_token', '<s>'), ...eos };
  for (const token of toAdd(config)) {
    if (token.content === '' || contents.has(token.content)) continue;
    contents.add(token.content);
    added.push({ ...token, id: vocabularyId(json, token.content) ?? nextId(json, added) });
  }
  return { json: { ...json, ...parts, added_tokens: added }, config, conventionalEos: eos.eos_token !== undefined };
}

/** Tokens that transformers adds where tokenizer.json does not have them, in its order. */
function toAdd(config: TokenizerConfig): readonly Omit<AddedToken, 'id'>[] {
  const decoder = Object.entries((config.added_tokens_decoder ?? {}) as Readonly<Record<string, Omit<AddedToken, 'id'>>>)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, token]) => token);
  const named = [...tokenNames.map((name) => config[name]), ...extraTokens(config)].flatMap((value): Omit<AddedToken, 'id'>[] => {
    const content = tokenText(value);
    if (content === undefined) return [];
    return [{ normalized: false, ...(typeof value === 'object' ? value : {}), content, special: true }];
  });
  return [...decoder, ...named];
}

function extraTokens(config: TokenizerConfig): readonly unknown[] {
  const extra = config.extra_special_tokens ?? config.additional_special_tokens;
  return Array.isArray(extra) ? extra : typeof extra === 'object' && extra !== null ? Object.values(extra) : [];
}

/** A special token's text, given plainly or with its flags. */
export function tokenText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  const content = (value as { readonly content?: unknown } | null | undefined)?.content;
  return typeof content === 'string' ? content : undefined;
}

function withoutNull(config: TokenizerConfig): TokenizerConfig {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null));
}

/** The model's vocabulary: ids by token, or a list of tokens with scores. */
function vocabularyOf(json: object): Readonly<Record<string, number>> | readonly (readonly [string, number])[] {
  return (json as { readonly model?: { readonly vocab?: Readonly<Record<string, number>> } }).model?.vocab ?? {};
}

function vocabularyId(json: object, content: string): number | undefined {
  const vocab = vocabularyOf(json);
  if (!Array.isArray(vocab)) return Object.hasOwn(vocab, content) ? (vocab as Readonly<Record<string, number>>)[content] : undefined;
  const at = vocab.findIndex(([token]) => token === content);
  return at < 0 ? undefined : at;
}

function nextId(json: object, added: readonly AddedToken[]): number {
  const vocab = vocabularyOf(json);
  const size = Array.isArray(vocab) ? vocab.length : Object.keys(vocab).length;
  return added.reduce((next, { id }) => Math.max(next, id + 1), size);
}
