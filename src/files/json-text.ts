/**
 * JSON from outside. `JSON.parse` accepts values of any depth, but what then walks, prints or
 * checks them recurses, and some thousand levels exhaust the stack.
 */

/** Deepest nesting of lists and objects that is read; the project's own documents have below 16. */
export const MAX_JSON_DEPTH = 128;

const [QUOTE, BACKSLASH, LIST, LIST_END, OBJECT, OBJECT_END] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];

/**
 * The value of a text. A zero has no sign, since `JSON.stringify` writes none: what is written
 * again reads the same.
 * @throws SyntaxError when it is not JSON, or nested too deeply
 */
export function parseJson(text: string): unknown {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (quoted && code === BACKSLASH) at++;
    else if (code === QUOTE) quoted = !quoted;
    else if (quoted) continue;
    else if (code === LIST || code === OBJECT) depth++;
    else if (code === LIST_END || code === OBJECT_END) depth--;
    if (depth > MAX_JSON_DEPTH) throw new SyntaxError(`expected JSON of at most ${MAX_JSON_DEPTH} levels, got more`);
  }
  if (!text.includes('-0')) return JSON.parse(text);
  return JSON.parse(text, (_, value: unknown) => (Object.is(value, -0) ? 0 : value));
}
