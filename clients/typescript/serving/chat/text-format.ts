/** The form that a request wants of an answer. */
import { badField } from '../http/problem.js';

/**
 * Lets text through.
 * @param format `response_format` of chat, `text.format` of responses.
 * @throws CutlayerError INVALID_ARGUMENT naming the keyword
 */
export function requireTextFormat(format: unknown, param: string): void {
  if (format === undefined || format === null) return;
  const { type } = format as { readonly type?: unknown };
  if (type === 'text') return;
  if (type === 'json_object' || type === 'json_schema')
    throw badField(
      `${param}.type`,
      `"${type}" is not supported: answers are not held to a grammar; ask for JSON in the prompt and check it`,
      'unsupported_value',
    );
  throw badField(`${param}.type`, `expected "text", got ${JSON.stringify(type)?.slice(0, 60) ?? 'nothing'}`);
}
