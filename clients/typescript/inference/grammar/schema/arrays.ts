/** Lists: first items, each with its own schema, then others. */
import { choice, type Expression, empty, nothing, repeat, rule, sequence } from '../expressions/expression.js';
import { closing, opening, punctuation } from './json.js';
import { below, isList, type Keywords, keywordValue, wrongSchema } from './node.js';
import type { ObjectBuilder } from './objects.js';
import { countOf } from './strings.js';

/** @throws CutlayerError INVALID_ARGUMENT */
export function arrayExpression(node: Keywords, pointer: string, builder: ObjectBuilder): Expression {
  const firsts = keywordValue(node, 'prefixItems', pointer, isList, 'a list of schemas') ?? [];
  const { items: others = true, uniqueItems } = node;
  if (uniqueItems !== undefined && uniqueItems !== false)
    throw wrongSchema(below(pointer, 'uniqueItems'), 'uniqueItems cannot be enforced; leave it out');
  const min = countOf(node, 'minItems', pointer) ?? 0;
  const max = countOf(node, 'maxItems', pointer);
  if (max !== undefined && max < min) return nothing;
  if (firsts.length === 0 && others === true && min === 0 && max === undefined) return rule('array');
  const item = others === false ? nothing : builder.define(builder.value(others, below(pointer, 'items')));
  const comma = punctuation(',');
  // From the last first item backwards: what may follow it.
  const room = (count: number): number | undefined => (max === undefined ? undefined : Math.max(0, max - count));
  let rest = repeat(sequence(comma, item), Math.max(0, min - firsts.length), room(firsts.length));
  for (let at = firsts.length - 1; at >= 0; at--) {
    const own = builder.value(firsts[at], below(pointer, 'prefixItems', at));
    const lead = at === 0 ? own : sequence(comma, own);
    const goesOn = room(at) === 0 ? nothing : sequence(lead, builder.define(rest));
    rest = at >= min ? choice(empty, goesOn) : goesOn;
  }
  if (firsts.length === 0) {
    const some = room(0) === 0 ? nothing : sequence(item, repeat(sequence(comma, item), Math.max(0, min - 1), room(1)));
    rest = min === 0 ? choice(empty, some) : some;
  }
  return sequence(opening('['), rest, closing(']'));
}
