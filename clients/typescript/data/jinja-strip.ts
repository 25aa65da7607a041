/**
 * Python's `strip(characters)`, `lstrip` and `rstrip` for templates: the package's own take white
 * space off, whatever characters they are given.
 */
import { Template } from '@huggingface/jinja';

/** A node of the package's program; only calls of methods have these fields. */
interface Node {
  readonly type?: string;
  callee?: Node;
  args?: Node[];
  readonly object?: Node;
  readonly property?: Node;
  readonly computed?: boolean;
  readonly value?: unknown;
}

const functionOf: Readonly<Record<string, string>> = {
  strip: '__cutlayer_strip',
  lstrip: '__cutlayer_lstrip',
  rstrip: '__cutlayer_rstrip',
};

/** The functions that a corrected program calls. */
export const stripFunctions: Readonly<Record<string, (text: unknown, characters: unknown) => string>> = {
  __cutlayer_strip: (text, characters) => trimmed(text, characters, true, true),
  __cutlayer_lstrip: (text, characters) => trimmed(text, characters, true, false),
  __cutlayer_rstrip: (text, characters) => trimmed(text, characters, false, true),
};

/** Lets every strip with an argument call one of {@link stripFunctions}. @param node Changed */
export function correctStrips(node: unknown): void {
  if (typeof node !== 'object' || node === null) return;
  const { type, callee, args } = node as Node;
  const name = callee?.type === 'MemberExpression' && callee.computed === false ? functionOf[String(callee.property?.value)] : undefined;
  if (type === 'CallExpression' && name !== undefined && args?.length === 1) {
    const call = node as Node;
    call.args = [callee!.object!, args[0]!];
    call.callee = identifier(name);
  }
  for (const child of Object.values(node)) correctStrips(child);
}

function identifier(name: string): Node {
  const { body } = new Template(`{{ ${name} }}`).parsed as unknown as { readonly body: readonly Node[] };
  return body[0]!;
}

function trimmed(text: unknown, characters: unknown, left: boolean, right: boolean): string {
  if (typeof text !== 'string') throw new Error('strip() of a value that is no string');
  if (typeof characters !== 'string') throw new Error('strip() argument must be a string');
  const drop = new Set(characters);
  const kept = Array.from(text);
  let [start, end] = [0, kept.length];
  while (left && start < end && drop.has(kept[start]!)) start++;
  while (right && start < end && drop.has(kept[end - 1]!)) end--;
  return kept.slice(start, end).join('');
}
