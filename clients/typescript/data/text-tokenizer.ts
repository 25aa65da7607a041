/** The checkpoint's tokenizer: text to token ids and back, special tokens, and chat template. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Template } from '@huggingface/jinja';
import * as tokenizers from '@huggingface/tokenizers';
import { CutlayerError } from '../../../src/errors.js';
import { parseJson } from '../../../src/files/json-text.js';
import type { ChatMessage } from './records.js';

/** The manifest's special tokens; the tokenizer's own configuration comes first. */
export interface SpecialTokens {
  readonly vocabSize: number;
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
}

/** The part of the package's tokenizer in use; its own types do not resolve under NodeNext. */
interface HuggingFaceTokenizer {
  encode(text: string, options?: { readonly add_special_tokens?: boolean }): { readonly ids: number[] };
  decode(ids: number[], options: { readonly skip_special_tokens: boolean; readonly clean_up_tokenization_spaces: boolean }): string;
  token_to_id(token: string): number | undefined;
}

const { Tokenizer } = tokenizers as unknown as { readonly Tokenizer: new (tokenizerJson: object, config: object) => HuggingFaceTokenizer };

/** Text to ids and back. */
export class TextTokenizer {
  readonly vocabSize: number;
  /** Ids that start every sequence: empty for families without a bos token. */
  readonly leading: readonly number[];
  /** The id that ends a completion; undefined when the checkpoint names none. */
  readonly eosTokenId: number | undefined;
  /** All ids at which generation stops. */
  readonly stopTokenIds: ReadonlySet<number>;
  readonly #tokenizer: HuggingFaceTokenizer;
  readonly #config: Readonly<Record<string, unknown>>;
  readonly #template: Template | undefined;

  /**
   * @param tokenizerJson Parsed `tokenizer.json`. @param config Parsed `tokenizer_config.json`.
   * @param chatTemplate `chat_template.jinja` where that is a file of its own.
   */
  constructor(tokenizerJson: object, config: Readonly<Record<string, unknown>>, special: SpecialTokens, chatTemplate?: string) {
    try {
      this.#tokenizer = new Tokenizer(tokenizerJson, config);
    } catch (cause) {
      throw new CutlayerError('INVALID_ARTIFACT', 'tokenizer.json: cannot be read as a Hugging Face tokenizer', { cause });
    }
    this.vocabSize = special.vocabSize;
    this.#config = config;
    this.leading = this.#leading(special);
    const named = this.#special('eos_token');
    this.eosTokenId = named ?? special.eosTokenIds[0];
    this.stopTokenIds = new Set([...special.eosTokenIds, ...(this.eosTokenId === undefined ? [] : [this.eosTokenId])]);
    const source = chatTemplate ?? defaultTemplate(config.chat_template);
    try {
      this.#template = source === undefined ? undefined : new Template(source);
    } catch (cause) {
      throw new CutlayerError('INVALID_ARTIFACT', 'chat template: does not parse as Jinja', { cause });
    }
  }

  /**
   * Reads the tokenizer files of a client bundle or a checkpoint directory.
   * @throws CutlayerError NOT_FOUND, INVALID_ARTIFACT
   */
  static async load(dir: string, special: SpecialTokens): Promise<TextTokenizer> {
    const tokenizerJson = await readJson(join(dir, 'tokenizer.json'));
    if (tokenizerJson === undefined) {
      throw new CutlayerError('NOT_FOUND', `${dir}: no tokenizer.json; pack a checkpoint that has a fast tokenizer`);
    }
    const config = (await readJson(join(dir, 'tokenizer_config.json'))) ?? {};
    const template = await readFile(join(dir, 'chat_template.jinja'), 'utf8').catch(() => undefined);
    return new TextTokenizer(tokenizerJson, config, special, template);
  }

  /** A text's ids, without special tokens. @throws CutlayerError INVALID_ARTIFACT (unknown id) */
  encode(text: string): number[] {
    const ids = text === '' ? [] : this.#tokenizer.encode(text, { add_special_tokens: false }).ids;
    const beyond = ids.find((id) => !(id >= 0 && id < this.vocabSize));
    if (beyond !== undefined) {
      throw new CutlayerError(
        'INVALID_ARTIFACT',
        `tokenizer: id ${beyond} is not in the model's vocabulary of ${this.vocabSize}; the tokenizer files belong to another checkpoint`,
      );
    }
    return ids;
  }

  /** The text of some ids, special tokens left out. */
  decode(ids: readonly number[]): string {
    return ids.length === 0 ? '' : this.#tokenizer.decode([...ids], { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  }

  /** Renders a conversation with the chat template. @throws CutlayerError INVALID_DATA */
  renderChat(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string {
    if (this.#template === undefined) {
      throw new CutlayerError(
        'INVALID_DATA',
        'the checkpoint has no chat template, so {messages} records cannot be used; write {prompt, completion} or {text} records',
      );
    }
    try {
      return this.#template.render({
        messages: messages.map((message) => ({ ...message })),
        add_generation_prompt: addGenerationPrompt,
        bos_token: this.#tokenText('bos_token') ?? '',
        eos_token: this.#tokenText('eos_token') ?? '',
        pad_token: this.#tokenText('pad_token') ?? '',
        unk_token: this.#tokenText('unk_token') ?? '',
      });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new CutlayerError('INVALID_DATA', `the checkpoint's chat template refuses this conversation: ${reason.slice(0, 200)}`, {
        cause,
      });
    }
  }

  #leading(special: SpecialTokens): number[] {
    const addBos = this.#config.add_bos_token;
    if (addBos === false) return [];
    // What the post-processor puts before any text.
    const bare = this.#tokenizer.encode('a', { add_special_tokens: false }).ids;
    const full = this.#tokenizer.encode('a').ids;
    const start = full.findIndex((_, at) => bare.every((id, offset) => full[at + offset] === id));
    if (start > 0) return full.slice(0, start);
    const bos = this.#special('bos_token') ?? special.bosTokenId;
    return addBos === true && bos !== null && bos !== undefined ? [bos] : [];
  }

  #tokenText(name: string): string | undefined {
    const value = this.#config[name];
    if (typeof value === 'string') return value;
    const content = (value as { readonly content?: unknown } | null | undefined)?.content;
    return typeof content === 'string' ? content : undefined;
  }

  #special(name: string): number | undefined {
    const text = this.#tokenText(name);
    return text === undefined ? undefined : this.#tokenizer.token_to_id(text);
  }
}

function defaultTemplate(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const named = value as readonly { readonly name?: unknown; readonly template?: unknown }[];
  const chosen = named.find((item) => item.name === 'default') ?? named[0];
  return typeof chosen?.template === 'string' ? chosen.template : undefined;
}

async function readJson(file: string): Promise<Record<string, unknown> | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return parseJson(text) as Record<string, unknown>;
  } catch (cause) {
    throw new CutlayerError('INVALID_ARTIFACT', `${file}: not JSON; pack the checkpoint again`, { cause });
  }
}
