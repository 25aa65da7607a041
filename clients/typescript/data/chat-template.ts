/**
 * A checkpoint's chat template, run as transformers runs it, and where in its text each message and
 * each `{% generation %}` block lies. For the places, marks are put into the template's program: at
 * both ends of each loop over messages, and of each block. The marks are taken out of the text.
 * @see transformers, utils/chat_template_utils.py
 */
import { Template } from '@huggingface/jinja';
import { CutlayerError } from '../../../src/errors.js';
import { correctBlocks, nameLoops } from './jinja-blocks.js';
import { correctStrips, stripFunctions } from './jinja-strip.js';
import { correctValues } from './jinja-values.js';
import type { Conversation } from './messages.js';

/** Names and texts of special tokens that the template may use, such as `bos_token`. */
export type TokenTexts = Readonly<Record<string, string>>;

/** A place in a rendered text: a message, by its index, or a block that was marked for training. */
export interface Region {
  readonly start: number;
  readonly end: number;
  /** Undefined for a block. */
  readonly message: number | undefined;
}

export interface Traced {
  readonly text: string;
  /** In the order of their ends. */
  readonly regions: readonly Region[];
}

/** A node of the package's program; only the kinds that marks go into have fields here. */
interface Node {
  readonly type: string;
  readonly value?: unknown;
  readonly test?: Node;
  readonly loopvar?: Node;
  body?: Node[];
  alternate?: Node[];
  defaultBlock?: Node[];
}

/** The beginning of a part of a message's content, where a template writes the part itself. */
const PART = "{'type': 'text'";
const PARTS_REFUSED = 'it takes the content of a message as text, not as parts; write {"content": "..."}';
const GENERATION = '__cutlayer_generation';
const REGISTER = '__cutlayer_messages';
const OPEN = '__cutlayer_open';
const CLOSE = '__cutlayer_close';

export class ChatTemplate {
  readonly #plain: Template;
  readonly #marked: Template;
  readonly #tokens: TokenTexts;
  /** Whether the template marks what is trained. */
  readonly marksGeneration: boolean;
  /** Its text. */
  readonly source: string;

  /** @throws CutlayerError INVALID_ARTIFACT */
  constructor(source: string, tokens: TokenTexts) {
    correctBlocks();
    correctValues();
    this.#tokens = tokens;
    this.source = source;
    // Jinja reads every line end of a template as \n.
    const lines = source.replace(/\r\n?/g, '\n');
    const tag = /\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}/g;
    this.marksGeneration = lines.search(tag) >= 0;
    const program = lines.replace(tag, (_, left: string, end: string | undefined, right: string) =>
      end === undefined ? `{%${left} if ${GENERATION} ${right}%}` : `{%${left} endif ${right}%}`,
    );
    try {
      this.#plain = new Template(program);
      this.#marked = new Template(program);
      for (const template of [this.#plain, this.#marked]) correctStrips(template.parsed);
      // The package types its nodes by classes; marks only need their kinds and lists.
      const marked = this.#marked.parsed as unknown as { body: Node[] };
      marked.body = [call(REGISTER, ['messages']), ...markBlock(marked.body)];
      for (const template of [this.#plain, this.#marked]) nameLoops(template.parsed);
    } catch (cause) {
      throw new CutlayerError('INVALID_ARTIFACT', 'chat template: does not parse as Jinja', { cause });
    }
  }

  /** @throws CutlayerError INVALID_DATA (the template refuses the conversation) */
  render(conversation: Conversation, addGenerationPrompt: boolean): string {
    return run(this.#plain, { ...this.#values(conversation, addGenerationPrompt), [GENERATION]: true });
  }

  /** As {@link render}, with the places. A template that the marks disturb has none. */
  trace(conversation: Conversation, addGenerationPrompt: boolean): Traced {
    const text = this.render(conversation, addGenerationPrompt);
    const mark = unusedCharacter(text);
    let indexes = new Map<unknown, number>();
    const markOf = (letter: string) => (message: unknown) => {
      const index = indexes.get(message);
      return index === undefined ? '' : `${mark}${letter}${index}${mark}`;
    };
    const marked = run(this.#marked, {
      ...this.#values(conversation, addGenerationPrompt),
      [GENERATION]: true,
      [REGISTER]: (messages: unknown) => {
        // The package wraps each message in an object whose value it gives to functions.
        const wrapped = messages as readonly { readonly value: unknown }[];
        indexes = new Map(wrapped.map(({ value }, index) => [value, index]));
        return '';
      },
      [OPEN]: markOf('o'),
      [CLOSE]: markOf('c'),
      [`${GENERATION}_open`]: () => `${mark}g${mark}`,
      [`${GENERATION}_close`]: () => `${mark}h${mark}`,
    });
    const traced = regionsOf(marked, mark);
    return traced.text === text ? traced : { text, regions: [] };
  }

  #values({ messages, tools, documents, chat_template_kwargs: others }: Conversation, addGenerationPrompt: boolean) {
    const { chat_template: _, ...withoutName } = others ?? {};
    return {
      ...this.#tokens,
      ...stripFunctions,
      messages,
      tools: tools ?? null,
      documents: documents ?? null,
      add_generation_prompt: addGenerationPrompt,
      ...withoutName,
    };
  }
}

function run(template: Template, values: Readonly<Record<string, unknown>>): string {
  let text: string;
  try {
    text = template.render(values);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw /^Python has no \+ between .*array/.test(reason) && hasParts(values) ? refusal(PARTS_REFUSED, cause) : refusal(reason, cause);
  }
  // Python writes such a list too, but no model was trained on one.
  if (text.includes(PART) && hasParts(values)) throw refusal(PARTS_REFUSED);
  return text;
}

/** Whether a message has its content in parts that do not look like a written part themselves. */
function hasParts(values: Readonly<Record<string, unknown>>): boolean {
  const messages = values.messages as Conversation['messages'];
  return messages.some(({ content }) => Array.isArray(content) && !content.some((part) => part.text.includes(PART)));
}

function refusal(reason: string, cause?: unknown): CutlayerError {
  return new CutlayerError('INVALID_DATA', `the checkpoint's chat template refuses this conversation: ${reason.slice(0, 200)}`, { cause });
}

/** A character of a private plane that a text does not hold. */
function unusedCharacter(text: string): string {
  for (let code = 0x10fffd; ; code--) {
    const character = String.fromCodePoint(code);
    if (!text.includes(character)) return character;
  }
}

/** The statements with marks around what a message writes, and around what is trained. */
function markBlock(statements: readonly Node[]): Node[] {
  return statements.map((node) => {
    if (node.body !== undefined) node.body = markBlock(node.body);
    if (node.alternate !== undefined) node.alternate = markBlock(node.alternate);
    if (node.defaultBlock !== undefined) node.defaultBlock = markBlock(node.defaultBlock);
    if (node.type === 'If' && node.test?.value === GENERATION)
      node.body = [call(`${GENERATION}_open`, []), ...node.body!, call(`${GENERATION}_close`, [])];
    if (node.type === 'For') {
      const names = namesOf(node.loopvar!);
      node.body = [...names.map((name) => call(OPEN, [name])), ...node.body!, ...names.map((name) => call(CLOSE, [name]))];
    }
    return node;
  });
}

function namesOf({ type, value }: Node): readonly string[] {
  if (type === 'Identifier') return [String(value)];
  return Array.isArray(value) ? (value as readonly Node[]).flatMap(namesOf) : [];
}

function call(name: string, names: readonly string[]): Node {
  const { body } = new Template(`{{ ${name}(${names.join(', ')}) }}`).parsed as unknown as { readonly body: readonly Node[] };
  return body[0]!;
}

function regionsOf(marked: string, mark: string): Traced {
  const parts = marked.split(mark);
  const open = new Map<string, number>();
  const regions: Region[] = [];
  let text = '';
  parts.forEach((part, at) => {
    if (at % 2 === 0) {
      text += part;
      return;
    }
    const [kind, index] = [part[0], part.slice(1)];
    if (kind === 'o' || kind === 'g') open.set(index, text.length);
    else regions.push({ start: open.get(index) ?? text.length, end: text.length, message: kind === 'c' ? Number(index) : undefined });
  });
  return { text, regions };
}
