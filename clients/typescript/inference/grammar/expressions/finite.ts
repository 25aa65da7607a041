/**
 * Leaves out what no finite text matches, so that a text never gets to where it cannot end.
 * That is an alternative of nothing, or a rule that always needs itself again.
 */
import { choice, type Expression, type Grammar, nothing, repeat, sequence } from './expression.js';
import { symbolsOf, unusedCharacters } from './symbols.js';

/** The same texts; undefined where there is none. */
export function finiteTexts({ rules, root }: Grammar): Grammar | undefined {
  const ending = new Ending(rules);
  const pruned = prune(root, ending);
  if (!ending.ends(root)) return undefined;
  const kept = new Map<string, Expression>();
  const left = [...ruleNames(pruned)];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (kept.has(name)) continue;
    const own = prune(rules.get(name)!, ending);
    kept.set(name, own);
    for (const next of ruleNames(own)) left.push(next);
  }
  return { rules: kept, root: pruned };
}

/** The rules that some finite text matches. Each part is looked at once when that is known. */
class Ending {
  readonly #rules = new Set<string>();
  readonly #known = new WeakSet<Expression>();

  constructor(rules: ReadonlyMap<string, Expression>) {
    let left = [...rules];
    for (let before = left.length + 1; left.length < before; ) {
      before = left.length;
      // From the last one: a rule comes before those that it refers to.
      left = left.reverse().filter(([name, of]) => {
        if (!this.ends(of)) return true;
        this.#rules.add(name);
        return false;
      });
    }
  }

  /** Whether some finite text matches. Only what does is remembered: a rule may come to end. */
  ends(expression: Expression): boolean {
    if (this.#known.has(expression)) return true;
    const ends = this.#parts(expression);
    if (ends) this.#known.add(expression);
    return ends;
  }

  #parts(expression: Expression): boolean {
    switch (expression.is) {
      case 'text':
        return symbolsOf(Buffer.from(expression.text)) !== undefined;
      case 'characters':
        return expression.ranges.some(([from, to]) => !unusedCharacters.some(([first, last]) => first <= from && to <= last));
      case 'sequence':
        return expression.of.every((one) => this.ends(one));
      case 'choice':
        return expression.of.some((one) => this.ends(one));
      case 'repeat':
        return expression.min === 0 || this.ends(expression.of);
      case 'rule':
        return this.#rules.has(expression.name);
    }
  }
}

function prune(expression: Expression, ending: Ending): Expression {
  if (!ending.ends(expression)) return nothing;
  switch (expression.is) {
    case 'sequence':
      return sequence(...expression.of.map((one) => prune(one, ending)));
    case 'choice':
      return choice(...expression.of.filter((one) => ending.ends(one)).map((one) => prune(one, ending)));
    case 'repeat':
      return ending.ends(expression.of) ? repeat(prune(expression.of, ending), expression.min, expression.max) : repeat(nothing, 0, 0);
    default:
      return expression;
  }
}

function ruleNames(expression: Expression): readonly string[] {
  if (expression.is === 'rule') return [expression.name];
  if (expression.is === 'repeat') return ruleNames(expression.of);
  return 'of' in expression ? expression.of.flatMap(ruleNames) : [];
}
