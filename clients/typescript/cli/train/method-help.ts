/** The methods in a few lines, for `--help`. */
import { kebab } from '../../../../src/options/option.js';
import { methodTable } from '../../adapters/method-table.js';

/** A line per method, with its learning rates. */
export function methodHelp(): string {
  const rows = Object.entries(methodTable);
  const width = Math.max(...rows.map(([method]) => method.length));
  const lines = rows.map(([method, { summary, learningRate, learningRatesWith = [] }]) => {
    const others = learningRatesWith.map((other) => `, ${other.learningRate} with ${flagsOf(other.settings)}`);
    return `  ${method.padEnd(width)}  ${summary} (--lr ${learningRate}${others.join('')})`;
  });
  return `Methods, with the learning rate when none is given (of several methods: the smallest):\n${lines.join('\n')}`;
}

/** Settings as the flags that make them. */
function flagsOf(settings: Readonly<Record<string, unknown>>): string {
  return Object.entries(settings)
    .map(([name, value]) => (value === true ? `--${kebab(name)}` : `--${kebab(name)} ${String(value)}`))
    .join(' ');
}
