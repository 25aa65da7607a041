/** Which characters of a rendered conversation are learned: the assistant's turns. */
import { CutlayerError } from '../../../src/errors.js';
import type { ChatTemplate, Traced } from './chat-template.js';
import type { ChatMessage, Conversation } from './messages.js';

/** A conversation as its template writes it. */
export interface RenderedTurns {
  readonly text: string;
  /** Learned characters, in order. */
  readonly spans: readonly Span[];
}

export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Renders a conversation once, and finds in its text what is learned. A template with
 * `{% generation %}` says it itself. Else it is what the template writes for each turn of the
 * assistant after the generation prompt, with the end of the turn. After the last turn it is all
 * that follows. A turn with `weight: 0` is not learned.
 * @throws CutlayerError INVALID_DATA (the template refuses it, or its turns cannot be told apart)
 */
export function renderTurns(template: ChatTemplate, conversation: Conversation): RenderedTurns {
  const traced = template.trace(conversation, false);
  const { messages } = conversation;
  const { text, regions } = traced;
  const learned = messages.flatMap((message, index) => (message.role === 'assistant' && message.weight !== 0 ? [index] : []));
  if (template.marksGeneration) {
    const unlearned = regions.filter(({ message }) => message !== undefined && messages[message]!.weight === 0);
    const spans = regions.filter(
      ({ message, start, end }) =>
        message === undefined && start < end && !unlearned.some((region) => region.start <= start && end <= region.end),
    );
    return { text, spans };
  }
  const spans = learned.flatMap((index) => turnSpans(template, conversation, traced, index));
  const missing = learned.find((index) => writes(messages[index]!, text) && !regions.some((region) => region.message === index));
  return { text, spans: missing === undefined ? spans : prefixSpans(template, conversation, text, learned) };
}

/** Whether the text of a turn is in the conversation's; templates may leave turns out. */
function writes({ content }: ChatMessage, text: string): boolean {
  return typeof content === 'string' && content.trim() !== '' && text.includes(content.trim());
}

function turnSpans(template: ChatTemplate, conversation: Conversation, { text, regions }: Traced, index: number): readonly Span[] {
  const own = regions.filter(({ message, start, end }) => message === index && text.slice(start, end).trim() !== '');
  return own.map(({ start, end }, at) => {
    const written = text.slice(start, end);
    const skipped = at > 0 ? 0 : headLength(written, generationPrompt(template, conversation, index));
    const last = index === conversation.messages.length - 1 && at === own.length - 1;
    return { start: start + skipped, end: last ? text.length : end };
  });
}

/** Characters of a turn that the generation prompt writes already. */
function headLength(written: string, prompt: string): number {
  if (prompt === '') return 0;
  const found = written.indexOf(prompt);
  if (found >= 0) return found + prompt.length;
  // A prompt may go on, as with an opened block of thoughts, where the turn does not.
  const words = /<[^<>\s]*>|\[[^[\]\s]*\]|\s+|[^<[\s]+|./gs;
  const [ours, theirs] = [written.match(words) ?? [], prompt.match(words) ?? []];
  let length = 0;
  for (let at = 0; at < theirs.length && ours[at] === theirs[at]; at++) length += ours[at]!.length;
  return length;
}

/** What the template writes to begin the assistant's turn `index`; empty without a prompt. */
function generationPrompt(template: ChatTemplate, { messages, ...others }: Conversation, index: number): string {
  const before: Conversation[] = [
    { ...others, messages: messages.slice(0, index) },
    { ...others, messages },
    { ...others, messages: [{ role: 'user', content: 'a' }] },
  ];
  for (const conversation of before) {
    const prompt = tried(() => {
      const [plain, prompted] = [template.render(conversation, false), template.trace(conversation, true)];
      if (prompted.text.startsWith(plain)) return prompted.text.slice(plain.length);
      return prompted.text.slice(prompted.regions.reduce((last, { end }) => Math.max(last, end), 0));
    });
    if (prompt !== undefined && prompt !== '') return prompt;
  }
  return '';
}

function tried(render: () => string): string | undefined {
  try {
    return render();
  } catch (caught) {
    if (CutlayerError.from(caught).code === 'INVALID_DATA') return undefined;
    throw caught;
  }
}

/** For a template that does not loop over messages: turns between renderings of fewer ones. */
function prefixSpans(template: ChatTemplate, conversation: Conversation, text: string, learned: readonly number[]): readonly Span[] {
  const { messages } = conversation;
  return learned.map((index) => {
    const prompt = template.render({ ...conversation, messages: messages.slice(0, index) }, true);
    const turn = index === messages.length - 1 ? text : template.render({ ...conversation, messages: messages.slice(0, index + 1) }, false);
    if (text.startsWith(prompt) && text.startsWith(turn)) return { start: prompt.length, end: turn.length };
    throw new CutlayerError(
      'INVALID_DATA',
      "the checkpoint's chat template rewrites earlier turns, so the tokens of one turn cannot be told apart; " +
        'write one record per assistant turn, as {prompt, completion}',
    );
  });
}
