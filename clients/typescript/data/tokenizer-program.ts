/**
 * What a checkpoint's tokenizer files say to compute. The files come from the vendor, and may loop
 * or fill memory: so this runs in a worker thread alone, under the limits of bounded-tokenizer.ts.
 */
import { Template } from '@huggingface/jinja';
import * as tokenizers from '@huggingface/tokenizers';
import { CutlayerError } from '../../../src/errors.js';
import type { ChatMessage } from './records.js';

/** What the files hold, and what of the manifest matters. */
export interface TokenizerSetup {
  /** Parsed `tokenizer.json`. */
  readonly tokenizerJson: object;
  /** Parsed `tokenizer_config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly chatTemplate: string | undefined;
  readonly bosTokenId: number | null;
}

/** What is asked of it; answers are in {@link TokenizerAnswers}. */
export type TokenizerRequest =
  | { readonly kind: 'facts' }
  | { readonly kind: 'encode'; readonly texts: readonly string[] }
  | { readonly kind: 'decode'; readonly ids: readonly number[] }
  | { readonly kind: 'render'; readonly messages: readonly ChatMessage[]; readonly addGenerationPrompt: boolean };

/**
 * The ids of some texts, one text after another, and how many each has: views of one buffer, which
 * is moved between threads.
 */
export interface EncodedTexts {
  readonly lengths: Int32Array<ArrayBuffer>;
  readonly ids: Int32Array<ArrayBuffer>;
}

export interface TokenizerAnswers {
  readonly facts: { readonly leading: readonly number[]; readonly eosTokenId: number | undefined };
  readonly encode: EncodedTexts;
  readonly decode: string;
  readonly render: string;
}

/** The part of the package's tokenizer in use; its own types do not resolve under NodeNext. */
interface HuggingFaceTokenizer {
  encode(text: string, options?: { readonly add_special_tokens?: boolean }): { readonly ids: number[] };
  decode(ids: number[], options: { readonly skip_special_tokens: boolean; readonly clean_up_tokenization_spaces: boolean }): string;
  token_to_id(token: string): number | undefined;
}

const { Tokenizer } = tokenizers as unknown as { readonly Tokenizer: new (tokenizerJson: object, config: object) => HuggingFaceTokenizer };

export class TokenizerProgram {
  readonly #tokenizer: HuggingFaceTokenizer;
  readonly #setup: TokenizerSetup;
  readonly #template: Template | undefined;

  /** @throws CutlayerError INVALID_ARTIFACT */
  constructor(setup: TokenizerSetup) {
    this.#setup = setup;
    try {
      this.#tokenizer = new Tokenizer(setup.tokenizerJson, setup.config);
    } catch (cause) {
      throw new CutlayerError('INVALID_ARTIFACT', 'tokenizer.json: cannot be read as a Hugging Face tokenizer', { cause });
    }
    const source = setup.chatTemplate ?? defaultTemplate(setup.config.chat_template);
    try {
      this.#template = source === undefined ? undefined : new Template(source);
    } catch (cause) {
      throw new CutlayerError('INVALID_ARTIFACT', 'chat template: does not parse as Jinja', { cause });
    }
  }

  /** @throws CutlayerError INVALID_DATA (no chat template, or it refuses the conversation) */
  answer(request: TokenizerRequest): TokenizerAnswers[TokenizerRequest['kind']] {
    switch (request.kind) {
      case 'facts':
        return { leading: this.#leading(), eosTokenId: this.#special('eos_token') };
      case 'encode':
        return encodedTexts(request.texts.map((text) => this.#tokenizer.encode(text, { add_special_tokens: false }).ids));
      case 'decode':
        return this.#tokenizer.decode([...request.ids], { skip_special_tokens: true, clean_up_tokenization_spaces: false });
      case 'render':
        return this.#render(request.messages, request.addGenerationPrompt);
    }
  }

  #render(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string {
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

  /** What the post-processor puts before any text. */
  #leading(): number[] {
    const addBos = this.#setup.config.add_bos_token;
    if (addBos === false) return [];
    const bare = this.#tokenizer.encode('a', { add_special_tokens: false }).ids;
    const full = this.#tokenizer.encode('a').ids;
    const start = full.findIndex((_, at) => bare.every((id, offset) => full[at + offset] === id));
    if (start > 0) return full.slice(0, start);
    const bos = this.#special('bos_token') ?? this.#setup.bosTokenId;
    return addBos === true && bos !== null && bos !== undefined ? [bos] : [];
  }

  #tokenText(name: string): string | undefined {
    const value = this.#setup.config[name];
    if (typeof value === 'string') return value;
    const content = (value as { readonly content?: unknown } | null | undefined)?.content;
    return typeof content === 'string' ? content : undefined;
  }

  #special(name: string): number | undefined {
    const text = this.#tokenText(name);
    return text === undefined ? undefined : this.#tokenizer.token_to_id(text);
  }
}

/** @throws CutlayerError INVALID_ARTIFACT for an id that an int32 does not hold */
function encodedTexts(texts: readonly (readonly number[])[]): EncodedTexts {
  const flat = new Int32Array(texts.reduce((sum, { length }) => sum + length, texts.length));
  let at = texts.length;
  texts.forEach((ids, text) => {
    flat[text] = ids.length;
    for (const id of ids) {
      flat[at] = id;
      if (flat[at++] !== id)
        throw new CutlayerError('INVALID_ARTIFACT', `tokenizer: expected ids of 32 bits, got ${id}; ask the vendor for another bundle`);
    }
  });
  return { lengths: flat.subarray(0, texts.length), ids: flat.subarray(texts.length) };
}

function defaultTemplate(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const named = value as readonly { readonly name?: unknown; readonly template?: unknown }[];
  const chosen = named.find((item) => item.name === 'default') ?? named[0];
  return typeof chosen?.template === 'string' ? chosen.template : undefined;
}
