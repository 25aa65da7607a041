/**
 * What a checkpoint's tokenizer files say to compute. The files come from the vendor, and may loop
 * or fill memory: so this runs in a worker thread alone, under the limits of bounded-tokenizer.ts.
 */
import { CutlayerError, type ErrorRecord } from '../../../src/errors.js';
import { silently } from '../../../src/files/silence.js';
import type { TokenTexts } from './chat-template.js';
import { renderTurns, type Span } from './chat-turns.js';
import type { Conversation } from './messages.js';
import { NamedTemplates, type TemplateSources } from './named-templates.js';
import { TextEncoding } from './text-encoding.js';
import { type TokenBytes, tokenBytes } from './token-bytes.js';
import type { TokenizerConfig } from './tokenizer-classes.js';
import { type ReadTokenizer, readTokenizer, tokenNames, tokenText } from './tokenizer-files.js';

/** What the files hold, and what of the manifest matters. */
export interface TokenizerSetup {
  /** Parsed `tokenizer.json`. */
  readonly tokenizerJson: object;
  /** Parsed `tokenizer_config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Of files of their own. */
  readonly chatTemplate: TemplateSources | undefined;
  /** The name of the template that conversations get which name none. */
  readonly template?: string | undefined;
  /** The model's family, where it is known. */
  readonly family?: string | undefined;
}

/** A text with the parts of it that are learned. */
export type LearnedText =
  | { readonly form: 'text'; readonly text: string }
  | { readonly form: 'completion'; readonly prompt: string; readonly completion: string }
  | ({ readonly form: 'messages' } & Conversation);

/** What is asked of it; answers are in {@link TokenizerAnswers}. */
export type TokenizerRequest =
  | { readonly kind: 'facts' }
  | { readonly kind: 'bytes' }
  | { readonly kind: 'encode'; readonly texts: readonly string[] }
  | { readonly kind: 'learn'; readonly texts: readonly LearnedText[] }
  | { readonly kind: 'decode'; readonly ids: readonly number[] }
  | { readonly kind: 'tokens'; readonly ids: readonly number[] }
  | { readonly kind: 'template'; readonly conversation: Omit<Conversation, 'messages'> }
  | { readonly kind: 'render'; readonly conversation: Conversation; readonly addGenerationPrompt: boolean };

/**
 * The ids of some texts, one text after another, and how many each has: views of one buffer, which
 * is moved between threads.
 */
export interface EncodedTexts {
  readonly lengths: Int32Array<ArrayBuffer>;
  readonly ids: Int32Array<ArrayBuffer>;
}

/** As {@link EncodedTexts}, with the learned tokens of each text. */
export interface EncodedLearning extends EncodedTexts {
  /** Of each text its ranges of tokens, first and end by turns; or why it has no tokens. */
  readonly learned: readonly (readonly number[] | ErrorRecord)[];
}

/** What the files say of every text. */
export interface TokenizerFacts {
  readonly leading: readonly number[];
  readonly eosTokenId: number | undefined;
  /** Whether no file names {@link eosTokenId}. */
  readonly conventionalEos: boolean;
  /** What the files contradict each other in, and what counts. */
  readonly notes: readonly string[];
  /** The highest id of any token, and its token. */
  readonly highest: { readonly id: number; readonly token: string };
}

export interface TokenizerAnswers {
  readonly facts: TokenizerFacts;
  readonly bytes: TokenBytes;
  readonly encode: EncodedTexts;
  readonly learn: EncodedLearning;
  readonly decode: string;
  /** The bytes of each token by itself. */
  readonly tokens: readonly Uint8Array[];
  /** The source of the template that such a conversation gets. */
  readonly template: string;
  readonly render: string;
}

export class TokenizerProgram {
  readonly #encoding: TextEncoding;
  readonly #tokens: TokenTexts;
  readonly #conventionalEos: boolean;
  readonly #config: TokenizerConfig;
  readonly #templates: NamedTemplates;

  /**
   * @throws CutlayerError INVALID_ARTIFACT, INVALID_OPTION for a template's name that is unknown
   */
  constructor({ tokenizerJson, config: given, chatTemplate, template, family }: TokenizerSetup) {
    let read: ReadTokenizer;
    try {
      read = readTokenizer(tokenizerJson, given, family);
      this.#encoding = silently(() => new TextEncoding(read.json, read.config));
    } catch (cause) {
      throw new CutlayerError('INVALID_ARTIFACT', 'tokenizer.json: cannot be read as a Hugging Face tokenizer', { cause });
    }
    const { config, conventionalEos } = read;
    this.#conventionalEos = conventionalEos;
    this.#config = config;
    this.#tokens = Object.fromEntries(
      tokenNames.flatMap((name) => {
        const text = tokenText(config[name]);
        return text === undefined ? [] : [[name, text]];
      }),
    );
    this.#templates = new NamedTemplates(chatTemplate, config.chat_template, this.#tokens, template);
  }

  /**
   * @throws CutlayerError INVALID_DATA (no chat template, or it refuses the conversation);
   *   INVALID_ARTIFACT (the tokenizer fails, or gives what is no id)
   */
  answer(request: TokenizerRequest): TokenizerAnswers[TokenizerRequest['kind']] {
    try {
      return silently(() => this.#answer(request));
    } catch (caught) {
      throw tokenizerFault(caught, request.kind);
    }
  }

  #answer(request: TokenizerRequest): TokenizerAnswers[TokenizerRequest['kind']] {
    switch (request.kind) {
      case 'facts': {
        const eosTokenId = this.#special('eos_token');
        return {
          leading: checkedIds(this.#encoding.leading()),
          eosTokenId: eosTokenId === undefined ? undefined : checkedIds([eosTokenId])[0],
          conventionalEos: this.#conventionalEos,
          notes: this.#notes(),
          highest: this.#encoding.highest(),
        };
      }
      case 'bytes':
        return tokenBytes(this.#encoding.tokenSource());
      case 'encode':
        return encodedTexts(request.texts.map((text) => this.#encoding.encode(text).ids));
      case 'learn':
        return this.#learn(request.texts);
      case 'decode':
        return this.#encoding.decode(request.ids);
      case 'render':
        return this.#templates.of(request.conversation).render(request.conversation, request.addGenerationPrompt);
      case 'tokens':
        return request.ids.map((id) => this.#encoding.bytesOfId(id));
      case 'template':
        return this.#templates.of(request.conversation).source;
    }
  }

  #learn(texts: readonly LearnedText[]): EncodedLearning {
    const learned: (readonly number[] | ErrorRecord)[] = [];
    const ids = texts.map((text) => {
      try {
        const { ids, ranges } = this.#learnedText(text);
        learned.push(ranges);
        return ids;
      } catch (caught) {
        learned.push(tokenizerFault(caught, 'learn').toRecord());
        return [];
      }
    });
    return { ...encodedTexts(ids), learned };
  }

  /** One text, encoded once; the borders of what is learned are found in its tokens. */
  #learnedText(record: LearnedText): { readonly ids: readonly number[]; readonly ranges: readonly number[] } {
    switch (record.form) {
      case 'text': {
        const { ids } = this.#encoding.encode(record.text);
        return { ids, ranges: [0, ids.length] };
      }
      case 'completion': {
        const { ids, tokenOf } = this.#encoding.encode(record.prompt + record.completion, [record.prompt.length]);
        return { ids, ranges: [tokenOf[0]!, ids.length] };
      }
      case 'messages': {
        const template = this.#templates.of(record);
        const { text, spans } = renderTurns(template, record);
        return this.#spanTokens(text, spans, template.marksGeneration);
      }
    }
  }

  /**
   * Tokens of spans of characters: from the first character's to the last one's. Where the template
   * marks the spans, bytes of a last character in further tokens are left out, as in transformers.
   */
  #spanTokens(text: string, spans: readonly Span[], marked: boolean) {
    const places = spans.flatMap(({ start, end }) => [start, lastCharacter(text, end), end]);
    const { ids, tokenOf } = this.#encoding.encode(text, places);
    const ranges = spans.flatMap((_, at) => {
      const [first, last, after] = [tokenOf[3 * at]!, tokenOf[3 * at + 1]!, tokenOf[3 * at + 2]!];
      return [first, Math.min(ids.length, marked ? last + 1 : Math.max(last + 1, after))];
    });
    return { ids, ranges };
  }

  #notes(): readonly string[] {
    const said = this.#config.add_bos_token;
    const puts = this.#encoding.leading().length > 0;
    if (typeof said !== 'boolean' || said === puts) return [];
    return [
      `tokenizer_config.json says add_bos_token ${said}, but the post-processor of tokenizer.json puts ${puts ? 'a' : 'no'} bos token before a text; ` +
        'the post-processor counts, as in transformers 5',
    ];
  }

  #special(name: string): number | undefined {
    const text = this.#tokens[name];
    return text === undefined ? undefined : this.#encoding.idOf(text);
  }
}

/** The index of the character before a place; half of a pair is none. */
function lastCharacter(text: string, end: number): number {
  const pair = end > 1 && text.codePointAt(end - 2)! > 0xffff;
  return Math.max(0, end - (pair ? 2 : 1));
}

/** What the package throws at a file that it can read and not use; errors of ours stay. */
function tokenizerFault(caught: unknown, kind: TokenizerRequest['kind']): CutlayerError {
  if (caught instanceof CutlayerError) return caught;
  const reason = caught instanceof Error ? caught.message : String(caught);
  return new CutlayerError(
    'INVALID_ARTIFACT',
    `tokenizer.json: its tokenizer fails (${kind}: ${reason.slice(0, 200)}); the checkpoint has to be packed again, with files that tokenize`,
    { cause: caught },
  );
}

/** Ids that a file may have given any value. @throws Error naming the first that is none */
function checkedIds(ids: readonly number[]): readonly number[] {
  for (const id of ids) {
    if (!Number.isSafeInteger(id) || id < 0) throw new Error(`expected ids, whole numbers from 0, got ${String(id)}`);
  }
  return ids;
}

/** @throws CutlayerError INVALID_ARTIFACT for an id that an int32 does not hold */
function encodedTexts(texts: readonly (readonly number[])[]): EncodedTexts {
  const flat = new Int32Array(texts.reduce((sum, { length }) => sum + length, texts.length));
  let at = texts.length;
  texts.forEach((ids, text) => {
    flat[text] = ids.length;
    for (const id of checkedIds(ids)) {
      flat[at] = id;
      if (flat[at++] !== id)
        throw new CutlayerError('INVALID_ARTIFACT', `tokenizer: expected ids of 32 bits, got ${id}; ask the vendor for another bundle`);
    }
  });
  return { lengths: flat.subarray(0, texts.length), ids: flat.subarray(texts.length) };
}
