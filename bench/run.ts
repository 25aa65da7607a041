/**
 * `npm run bench`: measures the claims of README and documentation, as ratios against a baseline of
 * the same run. Prints a table and writes `bench/out/latest.json`. Checkpoints with random weights
 * are made in `bench/out/models` on first use (1.3 GB for GPT-2 small, 5 GB for the half-billion
 * shape).
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { runProcess } from '../demo/processes.js';
import { packageRoot } from '../src/files/package-root.js';
import { didYouMean } from '../src/options/parse-options.js';
import { GLIBC_TUNABLES } from '../src/runtime/malloc.js';
import { benchAttention } from './attention.js';
import { gpt2Long, gpt2Small, gpt2Tiny, llamaHalfBillion, type ModelShape, makeCheckpoint } from './checkpoint.js';
import { benchCompiler, benchPromptOnce, type StepSize } from './compiler.js';
import { benchDecodeGateway, benchLongPrompt, benchPrompts, type DecodeSizes } from './decode/gateway.js';
import { benchGenerate } from './decode/generate.js';
import { benchLanes } from './decode/lanes.js';
import { benchDrafts } from './drafts.js';
import { benchFairness } from './fairness.js';
import { benchForwards } from './forwards.js';
import { benchGuardCost } from './guard-cost.js';
import { benchHostile } from './hostile/hostile.js';
import { benchInstructions } from './instructions/instructions.js';
import { benchStepMemory } from './instructions/step-memory.js';
import type { InstructionSize } from './instructions/workload.js';
import { benchMethods, benchWireDtypes } from './methods.js';
import { benchDecoys } from './privacy/decoys.js';
import { benchMasking } from './privacy/masking.js';
import { benchTrainedBlocks } from './privacy/trained-blocks.js';
import { Report } from './report.js';
import { benchSecAgg } from './secagg.js';
import type { Model } from './session.js';
import { benchSoak } from './soak/soak.js';
import { benchGatewayMemory, benchTrainingStep } from './training-step.js';

const sections = [
  'compiler',
  'attention',
  'forwards',
  'prompt-once',
  'step',
  'instructions',
  'step-memory',
  'methods',
  'wire-dtypes',
  'memory',
  'guard-cost',
  'fairness',
  'secagg',
  'decode',
  'drafts',
  'soak',
  'hostile',
  'masking',
  'decoys',
  'trained-blocks',
] as const;

/** Sections that run only when they are named. */
const onlyNamed: ReadonlySet<string> = new Set(['soak', 'hostile', 'masking', 'decoys', 'trained-blocks']);

const program = new Command('npm run bench --')
  .description('Measure Cutlayer against named baselines; run it on a quiet machine.')
  .argument('[sections...]', `of ${sections.join(', ')}; default: all but ${[...onlyNamed].join(', ')}`)
  .option('--rounds <n>', 'paired repetitions; medians are reported', Number, 5)
  .option('--python <path>', 'python with torch, transformers and peft for the PEFT baseline', 'python3')
  .option('--small', 'GPT-2-small shape only')
  .option('--minutes <n>', 'length of the soak; it runs only when it is named', Number, 60)
  .option('--connections <n>', 'hostile connections; the section runs only when it is named', Number, 1000)
  .option(
    '--tiny',
    'forwards, instructions, step-memory, methods, wire dtypes, guard-cost and decode at a tiny shape only, to see that they run',
  )
  .option('--dir <dir>', 'where the random checkpoints are kept', join(packageRoot(), 'bench', 'out', 'models'));
program.parse();
for (const word of program.args) {
  const guess = didYouMean(word, sections) || `; expected some of ${sections.join(', ')}`;
  if (!(sections as readonly string[]).includes(word)) program.error(`error: there is no section ${word}${guess}`);
}
const options = program.opts<{
  rounds: number;
  python: string;
  small?: boolean;
  tiny?: boolean;
  minutes: number;
  connections: number;
  dir: string;
}>();
const wanted = new Set(program.args.length > 0 ? program.args : sections.filter((section) => !onlyNamed.has(section)));

// The allocator reads its settings at process start, so this process restarts with them.
if (process.env.GLIBC_TUNABLES === undefined) {
  const again = spawnSync(process.execPath, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, GLIBC_TUNABLES },
  });
  process.exit(again.status ?? 1);
}

const instructionSize: InstructionSize = { batch: 8, instruction: 128, input: [16, 160], completion: [8, 32], virtualTokens: 16 };
const tinyInstructions: InstructionSize = { batch: 3, instruction: 24, input: [4, 40], completion: [2, 8], virtualTokens: 8 };
const longDecode = { prompts: [1000, 4000], prefill: 4096, tokens: 16 };
const tinyDecode = { prompts: [100], prefill: 128, tokens: 8 };

const report = new Report();
const { rounds, python } = options;
if (wanted.delete('soak')) await benchSoak(report, await packed(gpt2Tiny), options.minutes);
if (wanted.delete('hostile')) await benchHostile(report, await packed(gpt2Tiny), options.connections);
if (wanted.delete('masking')) await benchMasking(report);
if (wanted.delete('decoys')) await benchDecoys(report);
if (wanted.delete('trained-blocks')) await benchTrainedBlocks(report);
if (wanted.delete('attention')) benchAttention(report, rounds);
if (wanted.delete('secagg')) await benchSecAgg(report, rounds);
if (wanted.delete('drafts')) await benchDrafts(report, rounds);
if (wanted.delete('decode'))
  await (options.tiny === true ? benchDecode(gpt2Tiny, [64], tinyDecode) : benchDecode(gpt2Long, [64, 900], longDecode));
if (wanted.delete('fairness')) await benchFairness(report, rounds);
if (options.tiny === true) {
  if (wanted.has('instructions')) await benchInstructions(report, await packed(gpt2Tiny), tinyInstructions, rounds, python);
  if (wanted.has('step-memory')) await benchStepMemory(report, await packed(gpt2Tiny), tinyInstructions);
  if (wanted.has('forwards')) await benchForwards(report, await packed(gpt2Tiny), rounds);
  if (wanted.has('guard-cost')) await benchGuardCost(report, await packed(gpt2Tiny), { batch: 2, sequence: 32, virtualTokens: 8 }, rounds);
  await benchMethodSections(gpt2Tiny, { batch: 2, sequence: 32, virtualTokens: 8 });
} else if (wanted.size > 0) await benchAll();
process.stdout.write(`\nwritten to ${await report.write()}\n`);

async function benchAll(): Promise<void> {
  const gpt2 = await packed(gpt2Small);
  const gpt2Backbone = join(gpt2.packedDir, 'backbone');
  const size = { batch: 4, sequence: 256, virtualTokens: 16 };
  if (wanted.has('compiler')) await benchCompiler(report, gpt2.name, gpt2Backbone, 'inOut', size, rounds);
  if (wanted.has('forwards')) await benchForwards(report, gpt2, rounds);
  if (wanted.has('prompt-once'))
    await benchPromptOnce(report, gpt2.name, gpt2Backbone, { batch: 16, sequence: 32, virtualTokens: 16 }, rounds);
  if (wanted.has('step')) await benchTrainingStep(report, gpt2, size, rounds, python);
  if (wanted.has('instructions')) await benchInstructions(report, gpt2, instructionSize, rounds, python);
  if (wanted.has('step-memory')) await benchStepMemory(report, gpt2, instructionSize);
  await benchMethodSections(gpt2Small, { ...size, sequence: 128 });
  if (wanted.has('guard-cost')) await benchGuardCost(report, gpt2, { ...size, sequence: 128 }, 4 * rounds);
  if (wanted.has('memory')) await benchGatewayMemory(report, gpt2, { batch: 2, sequence: 64, virtualTokens: 16 }, 200);
  if (options.small === true) return;
  const llama = await packed(llamaHalfBillion);
  const llamaSize = { batch: 2, sequence: 128, virtualTokens: 16 };
  if (wanted.has('compiler')) await benchCompiler(report, llama.name, join(llama.packedDir, 'backbone'), 'outIn', llamaSize, rounds);
  if (wanted.has('step')) await benchTrainingStep(report, llama, llamaSize, rounds, python);
  if (wanted.has('instructions')) await benchInstructions(report, llama, { ...instructionSize, batch: 4 }, rounds, python);
}

async function benchDecode(shape: ModelShape, pasts: readonly number[], sizes: DecodeSizes): Promise<void> {
  const model = await packed(shape);
  const backboneDir = join(model.packedDir, 'backbone');
  for (const past of pasts) await benchLanes(report, model.name, backboneDir, past, rounds);
  await benchDecodeGateway(report, model, sizes);
  await benchPrompts(report, model, sizes, rounds);
  await benchLongPrompt(report, model, sizes.prefill);
  await benchGenerate(report, model, 2 * sizes.tokens, rounds, python);
}

async function benchMethodSections(shape: ModelShape, size: StepSize): Promise<void> {
  if (wanted.has('methods')) {
    const models = { uncut: await packed(shape), held: await packed(shape, { bottom: 1, top: 1 }) };
    await benchMethods(report, models, size, rounds, python);
  }
  if (wanted.has('wire-dtypes')) await benchWireDtypes(report, await packed(shape), { ...size, sequence: Math.min(size.sequence, 64) }, 20);
}

/** Makes and packs a random checkpoint unless that has been done. */
async function packed(shape: ModelShape, cut?: { readonly bottom: number; readonly top: number }): Promise<Model> {
  const checkpointDir = await makeCheckpoint(shape, options.dir);
  const packedDir = join(options.dir, `${shape.name}-packed${cut === undefined ? '' : `-${cut.bottom}-${cut.top}`}`);
  const flags = cut === undefined ? [] : ['--bottom', String(cut.bottom), '--top', String(cut.top)];
  if (!existsSync(packedDir)) await runProcess('cutlayer', ['pack', checkpointDir, '--out', packedDir, ...flags]);
  return { name: shape.name, checkpointDir, packedDir, stateDir: join(options.dir, 'gateway-state') };
}
