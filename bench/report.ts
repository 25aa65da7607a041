/** Collects measured figures, prints them as a table and writes them to `bench/out/latest.json`. */
import { mkdirSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomic } from '../src/files/atomic-file.js';
import { packageRoot } from '../src/files/package-root.js';
import { type Machine, machineText, thisMachine } from './machine.js';

/** One measured figure. `ratio` is `value / baseline` of the same run; null without a baseline. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly baseline: string | null;
  readonly ratio: number | null;
}

/** The figures of all sections, and the machine that they are of. */
export class Report {
  readonly figures: Figure[] = [];
  readonly #machine: Machine;

  /** Prints the table's head: the machine and the columns. */
  constructor(machine: Machine = thisMachine()) {
    this.#machine = machine;
    process.stdout.write(`${machineText(machine)}\n${head()}\n`);
  }

  /** Adds a figure and prints it at once, so that a long run shows its progress. */
  add(name: string, value: number, unit: string, against?: { readonly baseline: string; readonly ratio: number }): void {
    const figure = { name, value, unit, baseline: against?.baseline ?? null, ratio: against?.ratio ?? null };
    this.figures.push(figure);
    process.stdout.write(`${row(figure)}\n`);
  }

  /** A remark that belongs to the figures, such as why a section was skipped. */
  note(text: string): void {
    process.stdout.write(`  (${text})\n`);
  }

  /** Writes `bench/out/latest.json` through a temporary name. */
  async write(): Promise<string> {
    const dir = join(packageRoot(), 'bench', 'out');
    mkdirSync(dir, { recursive: true });
    const path = join(dir, 'latest.json');
    await writeFileAtomic(path, `${JSON.stringify({ machine: this.#machine, loadAtEnd: loadavg()[0], figures: this.figures }, null, 2)}\n`);
    return path;
  }
}

/** The columns. */
function head(): string {
  return `${'figure'.padEnd(62)} ${'value'.padStart(12)} ${'unit'.padEnd(10)} ${'ratio'.padStart(8)}  baseline`;
}

function row({ name, value, unit, baseline, ratio }: Figure): string {
  const digits = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 10 ? 1 : 3;
  return `${name.padEnd(62)} ${value.toFixed(digits).padStart(12)} ${unit.padEnd(10)} ${(ratio === null ? '' : ratio.toFixed(3)).padStart(8)}  ${baseline ?? ''}`;
}
