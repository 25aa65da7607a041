/** Walks over graphs without recursion: a decoder's backward pass is deeper than the call stack. */
import { inputsOf, type Node, type Value } from './value.js';

/** The nodes that some values need, inputs before users. */
export function nodesBelow(values: readonly Value[]): readonly Node[] {
  const found = new Set<Node>();
  const pending = values.map(({ node }) => node);
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    for (const input of inputsOf(node)) pending.push(input.node);
  }
  return [...found].sort((a, b) => a.id - b.id);
}
