/**
 * Leaves out what no finite text matches, so that a text never gets to where it cannot end.
 * That is an alternative of nothing, or a rule that always needs itself again.
 */
import { choice, type Expression, type Grammar, nothing, repeat, sequence, withoutRanges } from './expression.js';
import { symbolsOf, unusedCharacters } from './symbols.js';

/** The same texts; undefined where there is none. */
export function finiteTexts({ rules, root }: Grammar): Grammar | undefined {
  const ending = endingRules(rules);
  const pruned = prune(root, ending);
  if (!ends(root, ending)) return undefined;
  const kept = new Map<string, Expression>();
  const keep = (name: string): void => {
    if (kept.has(name)) return;
    const own = prune(rules.get(name)!, ending);
    kept.set(name, own);
    for (const next of ruleNames(own)) keep(next);
  };
  for (const name of ruleNames(pruned)) keep(name);
  return { rules: kept, root: pruned };
}

/** The rules that some finite text matches. */
function endingRules(rules: ReadonlyMap<string, Expression>): ReadonlySet<string> {
  const ending = new Set<string>();
  for (let before = -1; before < ending.size; ) {
    before = ending.size;
    for (const [name, of] of rules) if (!ending.has(name) && ends(of, ending)) ending.add(name);
  }
  return ending;
}

function ends(expression: Expression, ending: ReadonlySet<string>): boolean {
  switch (expression.is) {
    case 'text':
      return symbolsOf(Buffer.from(expression.text)) !== undefined;
    case 'characters':
      return withoutRanges(expression.ranges, unusedCharacters).length > 0;
    case 'sequence':
      return expression.of.every((one) => ends(one, ending));
    case 'choice':
      return expression.of.some((one) => ends(one, ending));
    case 'repeat':
      return expression.min === 0 || ends(expression.of, ending);
    case 'rule':
      return ending.has(expression.name);
  }
}

function prune(expression: Expression, ending: ReadonlySet<string>): Expression {
  if (!ends(expression, ending)) return nothing;
  switch (expression.is) {
    case 'sequence':
      return sequence(...expression.of.map((one) => prune(one, ending)));
    case 'choice':
      return choice(...expression.of.filter((one) => ends(one, ending)).map((one) => prune(one, ending)));
    case 'repeat':
      return ends(expression.of, ending) ? repeat(prune(expression.of, ending), expression.min, expression.max) : repeat(nothing, 0, 0);
    default:
      return expression;
  }
}

function ruleNames(expression: Expression): readonly string[] {
  if (expression.is === 'rule') return [expression.name];
  if (expression.is === 'repeat') return ruleNames(expression.of);
  return 'of' in expression ? expression.of.flatMap(ruleNames) : [];
}
