/**
 * `npm run fuzz`: feeds mutated and generated input to every parser of data from outside. Prints by
 * target the executions, their rate by the processor's time, and the share that was read. A finding
 * is saved as a file, with the command that repeats it, and gives exit status 1.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { packageRoot } from '../../src/files/package-root.js';
import { didYouMean } from '../../src/options/parse-options.js';
import { type Campaign, campaign } from './campaign.js';
import { type TargetName, targetModule, targetNames, targets } from './targets.js';

const FOUND_DIR = join(packageRoot(), 'test', 'fuzz', 'out');

const wholeNumber = (least: number) => (text: string) => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least) throw new InvalidArgumentError(`expected a whole number of at least ${least}.`);
  return value;
};

const program = new Command('npm run fuzz --')
  .description('Feed mutated and generated input to the parsers of data from outside, each in a process of its own.')
  .argument('[targets...]', 'which parsers; default: all')
  .option('--seconds <n>', 'seconds over all targets together', wholeNumber(1), 60)
  .option('--seed <n>', 'the same seed gives the same inputs', wholeNumber(0), 1)
  .option('--guided', 'begin with inputs that reached new code, and keep them for the next run')
  .addHelpText(
    'after',
    `
Targets:
${targetNames.map((name) => `  ${name.padEnd(22)} ${targets[name]}`).join('\n')}

An input must be read, or refused with a typed error other than INTERNAL, within
2 seconds of processor time and 256 MiB. What is read and written again must read
back the same. Everything else is a finding: its smallest input is saved in
test/fuzz/out, the command that repeats it is printed, and the exit status is 1.
Put the saved file into test/fuzz/corpus/TARGET when the fault is mended.

With --guided, V8's coverage tells which inputs reach code that none had reached.
They are kept in test/fuzz/out/guided/TARGET, at most 2,048 of 16 MiB; later runs
with --guided begin with them, so their inputs depend on the runs before, too.

Examples:
  npm run fuzz                                     # all targets, one minute
  npm run fuzz -- onnx jsonl --seconds 600         # ten minutes for two of them
  npm run fuzz -- --seed $RANDOM                   # other inputs than last time
  npm run fuzz -- --guided --seconds 3600          # an hour, guided by coverage`,
  );
program.parse();
for (const word of program.args) {
  const guess = didYouMean(word, targetNames) || `; expected some of ${targetNames.join(', ')}`;
  if (!Object.hasOwn(targets, word)) program.error(`error: there is no target ${word}${guess}`);
}
const { seconds, seed, guided } = program.opts<{ seconds: number; seed: number; guided?: true }>();
const wanted = program.args.length > 0 ? [...new Set(program.args as TargetName[])] : targetNames; // checked above

/** Saves the input and says how to run it again. */
function report(name: TargetName, { kind, text, input }: NonNullable<Campaign['finding']>): void {
  mkdirSync(FOUND_DIR, { recursive: true });
  const file = join(FOUND_DIR, `${name}-${createHash('sha256').update(input).digest('hex').slice(0, 12)}`);
  writeFileSync(file, input);
  const path = relative(packageRoot(), file);
  process.stdout.write(`  FOUND ${kind}: ${text.split('\n').slice(0, 6).join('\n    ')}\n`);
  process.stdout.write(`  input (${input.length} bytes): ${path}\n`);
  process.stdout.write(`  repeat: node dist/test/fuzz/child.js dist/test/fuzz/targets/${name}.js ${path}\n`);
}

const row = (name: string, ...cells: readonly string[]): void => {
  process.stdout.write(`${name.padEnd(22)} ${cells.map((cell) => cell.padStart(12)).join(' ')}\n`);
};

process.stdout.write(`seed ${seed}\n`);
row('target', 'executions', 'per cpu s', 'read', ...(guided ? ['functions', 'new inputs'] : []));
let total = 0;
for (const name of wanted) {
  const done = await campaign({
    modulePath: targetModule(name),
    seed,
    seconds: seconds / wanted.length,
    ...(guided && { corpusDir: join(FOUND_DIR, 'guided', name) }),
  });
  total += done.executions;
  const rate = Math.round(done.executions / Math.max(done.seconds, 1e-3));
  const read = `${((100 * done.read) / Math.max(done.executions, 1)).toFixed(1)} %`;
  const reached = done.reached === undefined ? [] : [String(done.reached.functions), String(done.reached.inputs)];
  row(name, String(done.executions), String(rate), read, ...reached);
  if (done.finding === undefined) continue;
  report(name, done.finding);
  process.exitCode = 1;
}
row('together', String(total));
