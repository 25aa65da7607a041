/** A request's body: a JSON object, with its numbers as the chat template is to print them. */
import { CutlayerError } from '../../../../src/errors.js';
import { parseExactJson } from '../../data/exact-numbers.js';

/** A parsed body; see {@link parseExactJson} for its numbers. */
export type Body = Readonly<Record<string, unknown>>;

/** @throws CutlayerError INVALID_ARGUMENT */
export function readBody(bytes: unknown): Body {
  if (!(bytes instanceof Uint8Array) || bytes.length === 0)
    throw new CutlayerError('INVALID_ARGUMENT', 'body: expected a JSON object, got nothing');
  let value: unknown;
  try {
    value = parseExactJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new CutlayerError('INVALID_ARGUMENT', 'body: not JSON in UTF-8; expected an object', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `body: expected a JSON object, got ${Array.isArray(value) ? 'a list' : String(typeof value)}`,
    );
  return value as Body; // an object, by the test before
}
