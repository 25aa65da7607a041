/** The checkpoint's tokenizer: text to token ids and back, special tokens, and chat template. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { sha256Hex } from '../../../src/artifacts/digest.js';
import type { ArtifactFile } from '../../../src/artifacts/manifest.js';
import { CutlayerError, type ErrorRecord } from '../../../src/errors.js';
import { parseJson } from '../../../src/files/json-text.js';
import { BoundedTokenizer, DEFAULT_TOKENIZER_LIMITS, type TokenizerLimits } from './bounded-tokenizer.js';
import type { ChatMessage, Conversation } from './messages.js';
import { TEMPLATE_DIRECTORY, type TemplateSources } from './named-templates.js';
import type { TokenBytes } from './token-bytes.js';
import { withSideFiles } from './tokenizer-files.js';
import type { LearnedText, TokenizerFacts } from './tokenizer-program.js';

/** The manifest's special tokens; the tokenizer's own configuration comes first. */
export interface SpecialTokens {
  readonly vocabSize: number;
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
  /** The model's family: some tokenizers depend on it. */
  readonly family?: string;
  /** The chat template, by its name, of conversations that name none. */
  readonly template?: string | undefined;
}

/** The files of a manifest; no other is read. */
export interface ListedFiles {
  readonly files: readonly ArtifactFile[];
  readonly tokenizerFiles: readonly string[];
}

/** A record's tokens. */
export interface LearnedIds {
  readonly ids: Int32Array;
  /** Learned tokens: by turns the first of a range and the one after its last. */
  readonly ranges: readonly number[];
}

/** Text to ids and back. */
export class TextTokenizer {
  readonly vocabSize: number;
  /** Ids that start every sequence: empty for families without a bos token. */
  readonly leading: readonly number[];
  /** The id that ends a completion; undefined when the checkpoint names none. */
  readonly eosTokenId: number | undefined;
  /** All ids at which generation stops. */
  readonly stopTokenIds: ReadonlySet<number>;
  /** What to tell of the eos token; undefined where a file names it. */
  readonly eosNote: string | undefined;
  /** What the files themselves say. */
  readonly facts: TokenizerFacts;
  readonly #program: BoundedTokenizer;
  #tokenBytes: TokenBytes | undefined;
  /** Answers to what is about to be asked for. */
  #ahead: ReadonlyMap<LearnedText, LearnedIds | ErrorRecord> = new Map();

  /**
   * @param tokenizerJson Parsed `tokenizer.json`. @param config Parsed `tokenizer_config.json`.
   * @param chatTemplate `chat_template.jinja` where that is a file of its own, or several by name.
   * @throws CutlayerError INVALID_ARTIFACT, INVALID_OPTION (template), LIMIT_EXCEEDED
   */
  constructor(
    tokenizerJson: object,
    config: Readonly<Record<string, unknown>>,
    special: SpecialTokens,
    chatTemplate?: TemplateSources,
    limits: TokenizerLimits = DEFAULT_TOKENIZER_LIMITS,
  ) {
    this.#program = new BoundedTokenizer(
      { tokenizerJson, config, chatTemplate, template: special.template, family: special.family },
      limits,
    );
    this.vocabSize = special.vocabSize;
    this.facts = this.#program.ask({ kind: 'facts' });
    const { leading, eosTokenId } = this.facts;
    this.leading = leading;
    const stated = special.eosTokenIds[0];
    this.eosTokenId = this.facts.conventionalEos ? (stated ?? eosTokenId) : (eosTokenId ?? stated);
    this.eosNote = this.#noteOfEos(stated);
    this.stopTokenIds = new Set([...special.eosTokenIds, ...(this.eosTokenId === undefined ? [] : [this.eosTokenId])]);
  }

  /**
   * Reads the tokenizer files of a client bundle, or of a checkpoint directory.
   * @param special With the bundle's lists, only listed files of the listed digests are read.
   * @throws CutlayerError NOT_FOUND, INVALID_ARTIFACT, INVALID_OPTION (template), DIGEST_MISMATCH,
   *   LIMIT_EXCEEDED
   */
  static async load(dir: string, special: SpecialTokens & Partial<ListedFiles>): Promise<TextTokenizer> {
    const tokenizerJson = await readJson(dir, 'tokenizer.json', special);
    if (tokenizerJson === undefined) {
      throw new CutlayerError('NOT_FOUND', `${dir}: no tokenizer.json; pack a checkpoint that has a fast tokenizer`);
    }
    const config = withSideFiles({
      config: (await readJson(dir, 'tokenizer_config.json', special)) ?? {},
      specialTokensMap: await readJson(dir, 'special_tokens_map.json', special),
      addedTokens: await readJson(dir, 'added_tokens.json', special),
    });
    return new TextTokenizer(tokenizerJson, config, special, await readTemplates(dir, special));
  }

  /**
   * Encodes records at once, so that `learn` has them: one question to the thread, not many. What
   * fails here is asked again, and fails, where it is used.
   */
  learnAhead(texts: readonly LearnedText[]): void {
    this.#ahead = new Map();
    if (texts.length === 0) return;
    try {
      const answers = this.#ask(texts);
      this.#ahead = new Map(texts.map((text, at) => [text, answers[at]!]));
    } catch {
      // Asked again where it is used.
    }
  }

  /**
   * A record's ids, without special tokens beyond those of its template, and which are learned.
   * @throws CutlayerError INVALID_DATA (the chat template refuses it), INVALID_ARTIFACT (unknown
   *   id), LIMIT_EXCEEDED (time or memory)
   */
  learn(text: LearnedText): LearnedIds {
    const answer = this.#ahead.get(text) ?? this.#ask([text])[0]!;
    if ('code' in answer) throw new CutlayerError(answer.code, answer.message, { details: answer.details });
    this.#requireKnown(answer.ids);
    return answer;
  }

  /**
   * A text's ids, without special tokens.
   * @throws CutlayerError INVALID_ARTIFACT (unknown id), LIMIT_EXCEEDED (time or memory)
   */
  encode(text: string): number[] {
    if (text === '') return [];
    const { ids } = this.#program.ask({ kind: 'encode', texts: [text] });
    this.#requireKnown(ids);
    return Array.from(ids);
  }

  #noteOfEos(stated: number | undefined): string | undefined {
    const next = 'name eos_token in tokenizer_config.json, or eos_token_id in generation_config.json';
    if (this.eosTokenId === undefined)
      return `no file names an end-of-sequence (eos) token: completions and texts are not ended, and generation does not stop by itself; ${next}`;
    if (!this.facts.conventionalEos || stated !== undefined) return undefined;
    return `no file names an end-of-sequence (eos) token: </s> (id ${this.eosTokenId}) is taken; ${next}`;
  }

  #ask(texts: readonly LearnedText[]): readonly (LearnedIds | ErrorRecord)[] {
    const { lengths, ids, learned } = this.#program.ask({ kind: 'learn', texts });
    let end = 0;
    return learned.map((ranges, index) => {
      const start = end;
      end += lengths[index]!;
      return 'code' in ranges ? ranges : { ids: ids.subarray(start, end), ranges };
    });
  }

  #requireKnown(ids: Int32Array): void {
    const beyond = ids.find((id) => !(id >= 0 && id < this.vocabSize));
    if (beyond === undefined) return;
    throw new CutlayerError(
      'INVALID_ARTIFACT',
      `tokenizer: id ${beyond} is not in the model's vocabulary of ${this.vocabSize}; the tokenizer files belong to another checkpoint`,
    );
  }

  /** The text of some ids, special tokens left out. @throws CutlayerError LIMIT_EXCEEDED */
  decode(ids: readonly number[]): string {
    return ids.length === 0 ? '' : this.#program.ask({ kind: 'decode', ids: [...ids] });
  }

  /**
   * The exact bytes of each token.
   * @throws CutlayerError INVALID_ARTIFACT (tokens without a text of their own), LIMIT_EXCEEDED
   */
  get tokenBytes(): TokenBytes {
    this.#tokenBytes ??= this.#program.ask({ kind: 'bytes' });
    return this.#tokenBytes;
  }

  /** Renders messages. @throws CutlayerError INVALID_DATA, LIMIT_EXCEEDED */
  renderChat(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string {
    return this.renderConversation({ messages }, addGenerationPrompt);
  }

  /** Renders messages with tools and further values. @throws CutlayerError as renderChat */
  renderConversation(conversation: Conversation, addGenerationPrompt: boolean): string {
    return this.#program.ask({ kind: 'render', conversation, addGenerationPrompt });
  }

  /** The source of the chat template that such a conversation gets. @throws as renderChat */
  templateOf(conversation: Omit<Conversation, 'messages'>): string {
    return this.#program.ask({ kind: 'template', conversation });
  }

  /**
   * The bytes of each token by itself, special tokens too; they may be a part of a character.
   * @throws CutlayerError LIMIT_EXCEEDED
   */
  bytesOf(ids: readonly number[]): readonly Uint8Array[] {
    return ids.length === 0 ? [] : this.#program.ask({ kind: 'tokens', ids: [...ids] });
  }

  /** Ends the tokenizer's thread; a later call starts another. */
  close(): Promise<void> {
    return this.#program.close();
  }
}

/** Templates in files of their own, by name; undefined where there is none. */
async function readTemplates(dir: string, listed: Partial<ListedFiles>): Promise<TemplateSources | undefined> {
  const there = await readdir(join(dir, TEMPLATE_DIRECTORY)).catch(() => []);
  const named = there.filter((file) => file.endsWith('.jinja')).sort();
  const files = [['default', 'chat_template.jinja'], ...named.map((file) => [basename(file, '.jinja'), `${TEMPLATE_DIRECTORY}/${file}`])];
  const sources: Record<string, string> = {};
  for (const [name, path] of files) {
    const source = await readListed(dir, path!, listed);
    if (source !== undefined) sources[name!] = source;
  }
  return Object.keys(sources).length === 0 ? undefined : sources;
}

/** A file's text; undefined where there is none, or the manifest does not list it. */
async function readListed(dir: string, name: string, { files, tokenizerFiles }: Partial<ListedFiles>): Promise<string | undefined> {
  if (tokenizerFiles !== undefined && !tokenizerFiles.includes(name)) return undefined;
  const path = join(dir, name);
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const listed = files?.find((file) => file.path === name);
  const got = sha256Hex(bytes);
  if (listed !== undefined && listed.sha256 !== got)
    throw new CutlayerError('DIGEST_MISMATCH', `${path}: expected sha256 ${listed.sha256}, got ${got}; copy or pack it again`);
  return bytes.toString('utf8');
}

async function readJson(dir: string, name: string, listed: Partial<ListedFiles>): Promise<Record<string, unknown> | undefined> {
  const text = await readListed(dir, name, listed);
  if (text === undefined) return undefined;
  try {
    return parseJson(text) as Record<string, unknown>;
  } catch (cause) {
    throw new CutlayerError('INVALID_ARTIFACT', `${join(dir, name)}: not JSON; pack the checkpoint again`, { cause });
  }
}
