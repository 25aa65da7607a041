/**
 * Feedback on a completion as a record to train on: accepted as it is, corrected, or rated. Its
 * form is `{prompt | messages, completion, verdict, id?}`.
 */
import { CutlayerError } from '../../../src/errors.js';
import { parseExactJson, plainNumbers } from '../data/exact-numbers.js';

/** A record in a form that `client train` reads, and what was said of it. */
export interface Feedback {
  /** JSON. */
  readonly record: string;
  readonly id: string | undefined;
  readonly rating: number | undefined;
}

/** Fields of a piece of feedback. */
const known = ['prompt', 'messages', 'tools', 'completion', 'verdict', 'id', 'task'] as const;

/** One of them. */
export type FeedbackField = (typeof known)[number];

const MAX_ID = 200;

/**
 * Reads one piece; a field that is null counts as absent.
 * @throws CutlayerError INVALID_DATA saying what was wanted; the text itself is not quoted
 */
export function readFeedback(line: string): Feedback {
  const given = fieldsOf(line);
  const other = Object.keys(given).find((key) => !(known as readonly string[]).includes(key));
  if (other !== undefined) throw wrong(`there is no field ${other.slice(0, 60)}; expected ${known.join(', ')}`);
  const { prompt, messages, tools, completion, verdict, id, task } = given;
  if (typeof completion !== 'string' || completion === '') throw wrong('completion: expected the text that was generated');
  if (id !== undefined && (typeof id !== 'string' || id === '' || id.length > MAX_ID))
    throw wrong(`id: expected the completion's id, 1 to ${MAX_ID} characters`);
  const { answer, rating } = readVerdict(verdict, completion);
  const named = task === undefined ? {} : { task };
  if ((prompt === undefined) === (messages === undefined)) throw wrong('expected either prompt or messages: what the completion answers');
  if (prompt !== undefined) {
    if (typeof prompt !== 'string') throw wrong('prompt: expected a text');
    return { record: JSON.stringify(plainNumbers({ prompt, completion: answer, ...named })), id, rating };
  }
  if (!Array.isArray(messages) || messages.length === 0) throw wrong('messages: expected the list that the completion answers');
  const conversation = [...(messages as readonly unknown[]), { role: 'assistant', content: answer }];
  return {
    record: JSON.stringify(plainNumbers({ messages: conversation, ...(tools === undefined ? {} : { tools }), ...named })),
    id,
    rating,
  };
}

function readVerdict(verdict: unknown, completion: string): { readonly answer: string; readonly rating: number | undefined } {
  if (verdict === 'accepted') return { answer: completion, rating: undefined };
  const given = typeof verdict === 'object' && verdict !== null ? (verdict as Readonly<Record<string, unknown>>) : {};
  // Of two verdicts at once, one would be lost.
  const fields = Object.keys(given).length === 1 ? given : {};
  if (typeof fields.corrected === 'string' && fields.corrected !== '') return { answer: fields.corrected, rating: undefined };
  const { rating } = fields;
  if (typeof rating === 'number' && Number.isInteger(rating) && rating >= 1 && rating <= 5) return { answer: completion, rating };
  throw wrong('verdict: expected "accepted", {"corrected": "the right text"} or {"rating": 1 to 5}');
}

function fieldsOf(line: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = parseExactJson(line);
  } catch (cause) {
    throw new CutlayerError('INVALID_DATA', 'not JSON; expected one object', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong('expected an object');
  const given = value as Readonly<Record<string, unknown>>; // an object, by the test before
  return Object.fromEntries(Object.entries(given).filter(([, field]) => field !== null));
}

function wrong(message: string): CutlayerError {
  return new CutlayerError('INVALID_DATA', message);
}
