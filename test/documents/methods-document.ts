/** docs/methods.md: what each method of the registry sends, holds and costs, measured on one step of each through a gateway, and which references it is held to. */
import type { MethodName } from '../../clients/typescript/adapters/adapter.js';
import type { LearningRateWith } from '../../clients/typescript/adapters/method-table.js';
import { createAdapter, methodRows, methods } from '../../clients/typescript/adapters/registry.js';
import type { MethodSettingsInput } from '../../clients/typescript/adapters/setting-table.js';
import { type Connection, connect } from '../../clients/typescript/connection/connect.js';
import type { Example } from '../../clients/typescript/data/examples.js';
import { ClientBundle } from '../../clients/typescript/model/client-bundle.js';
import { TrainingClient } from '../../clients/typescript/training/training-client.js';
import { caseContext, methodCaseNames, methodFamilies } from '../support/method-curves.js';
import { packedFixture } from '../support/packed-fixture.js';
import { startTestGateway } from '../support/test-gateway.js';

const FIXTURE = 'gpt2-tiny';
const [B, S, P, LOSS] = [8, 16, 8, 6];
const cuts = [
  { bottom: 0, top: 0 },
  { bottom: 0, top: 1 },
  { bottom: 1, top: 1 },
];

/** What a method puts into the step that crosses, what it keeps, and what its step costs. A new method does not compile without its row. */
const said: Readonly<Record<MethodName, { readonly sends: string; readonly keeps: string; readonly costs: string }>> = {
  'prompt-tuning': { sends: 'the prompt [P, d], once per step', keeps: 'optimizer', costs: 'P rows more in the backbone, once per step' },
  'p-tuning': {
    sends: 'what the encoder makes of its rows, [P, d], once per step',
    keeps: 'encoder, optimizer',
    costs: 'as prompt tuning, and the encoder here, forward and back once per step',
  },
  'prefix-tuning': {
    sends: 'keys and values [layers of the backbone, 2, P, KV heads, head dim], once per step',
    keeps: 'layers of its own blocks, projection, optimizer',
    costs: 'P keys more for each query; no rows of its own',
  },
  'multitask-prompt-tuning': {
    sends: 'the prompt of each task in the step, [P, d]',
    keeps: "tasks' names and factors, optimizer",
    costs: 'a call of each kind for each task in a batch',
  },
  'trainable-tokens': {
    sends: 'nothing more: rows of the table are replaced before they are sent',
    keeps: 'which tokens, their rows, optimizer',
    costs: 'the cotangent of every text row comes back',
  },
  lora: {
    sends: 'nothing more',
    keeps: 'both factors, optimizer',
    costs: 'nothing at the gateway but its Forward, unless it reaches a bottom block',
  },
  full: {
    sends: 'nothing more',
    keeps: 'the trained blocks, optimizer',
    costs: 'weight gradients of its own blocks here; at the gateway as LoRA',
  },
  'classification-head': {
    sends: 'nothing more',
    keeps: 'head, classes, optimizer',
    costs: 'one row per sequence comes back; alone it needs no Backward',
  },
};

interface Measured {
  readonly title: string;
  readonly names: string;
  readonly settings: MethodSettingsInput;
  /** Needs blocks on the client's side. */
  readonly blocks?: boolean;
}

const measured: readonly Measured[] = [
  { title: 'prompt tuning', names: 'prompt-tuning', settings: { init: 'RANDOM' } },
  { title: 'P-tuning, MLP of 16', names: 'p-tuning', settings: { encoderHidden: 16 } },
  { title: 'P-tuning, LSTM of 16', names: 'p-tuning', settings: { encoder: 'LSTM', encoderHidden: 16 } },
  { title: 'prefix tuning', names: 'prefix-tuning', settings: {} },
  { title: 'prefix tuning with projection of 16', names: 'prefix-tuning', settings: { prefixProjection: true, encoderHidden: 16 } },
  {
    title: 'multitask prompt tuning, 2 tasks in the batch',
    names: 'multitask-prompt-tuning',
    settings: { tasks: ['a', 'b'], init: 'RANDOM' },
  },
  { title: 'trainable tokens, 4 of them', names: 'trainable-tokens', settings: { tokens: ['5', '17', '40', '46'] } },
  { title: 'LoRA of rank 4, LM head', names: 'lora', settings: { rank: 4, targets: ['lm_head'] } },
  { title: 'LoRA of rank 4, attention of held blocks', names: 'lora', settings: { rank: 4 }, blocks: true },
  { title: 'full training of held blocks', names: 'full', settings: {}, blocks: true },
  { title: 'classification head, 3 classes', names: 'classification-head', settings: { labels: ['a', 'b', 'c'] } },
  {
    title: 'prompt tuning + classification head',
    names: 'prompt-tuning+classification-head',
    settings: { init: 'RANDOM', labels: ['a', 'b', 'c'] },
  },
  {
    title: 'prompt tuning + LoRA on the LM head',
    names: 'prompt-tuning+lora',
    settings: { init: 'RANDOM', rank: 4, targets: ['lm_head'] },
  },
];

/** The document's text. Starts a gateway for each cut. */
export async function methodsDocument(): Promise<string> {
  const names = Object.keys(methods) as MethodName[];
  const unmeasured = names.filter((name) => !measured.some((row) => row.names.split('+').includes(name)));
  if (unmeasured.length > 0) throw new Error(`docs/methods.md: no measured row for ${unmeasured.join(', ')}`);
  const columns: (readonly (Step | undefined)[])[] = [];
  for (const cut of cuts) columns.push(await measureCut(cut));
  return `# Methods

<!-- Written by \`npm run generate:docs\` from the registry, the fixtures and one step of each method through a gateway (test/documents/methods-document.ts); \`npm test\` fails when it is stale. -->

\`cutlayer client train --method NAME\` takes one method, or several joined by \`+\`.
Each method fills its own places of a step; two that would fill the same place are refused by name.
The optimizer and all parameters are in the client's process; the gateway receives the tensors below, at each step.
[client.md](client.md) has the flags.

${table(
  ['method', 'what trains', 'PEFT type', 'learning rate', 'sent beside the text rows', 'stays with the client', 'costs'],
  names.map((name) => {
    const { summary, peftType, learningRate, learningRatesWith = [] } = methodRows(name)[0]!;
    const rates = [`${learningRate}`, ...learningRatesWith.map((other) => `${other.learningRate} with ${settingsText(other.settings)}`)];
    const { sends, keeps, costs } = said[name];
    return [`\`${name}\``, summary, peftType === null ? 'none' : `\`${peftType}\``, rates.join(', '), sends, keeps, costs];
  }),
)}

The learning rate is that of \`client train\` without \`--lr\`; of methods joined by \`+\` it is the smallest.
It was measured on the demo's backbone, where each method learns well with it within 60 steps of 8 examples.
\`clients/typescript/adapters/*.ts\` say how well.
Larger models may want less: \`cutlayer client sweep\`.

Methods with a PEFT type are saved as PEFT's two files.
\`PeftModel.from_pretrained\` loads them, and PEFT's own files load here.
As in PEFT, the files hold the result of P-tuning's encoder or of a prefix's projection, not the encoder or the projection.
A checkpoint of a run holds the encoder too.
Beside a classification head an adapter is saved as PEFT's SEQ_CLS has it, both in one directory.
Full training and a head alone are saved as weights under transformers' names, to be loaded over the base model.
Other combinations are one directory for each method.

## One step, measured
The table measures one optimizer step on \`${FIXTURE}\` (4 blocks, d = 32, 97 tokens, tied head), with float32 on the wire.
The batch is ${B} sequences of ${S} tokens with loss on the last ${LOSS} of each, and P = ${P}.
Columns are cuts: blocks of the client at the bottom, at the top.
A cell has the calls, and the bytes of tensors up and down.
F is a Forward, f a Forward for which the gateway keeps nothing, B a Backward.
A dash: the method needs blocks, and the client holds none.
Trained values are those at (1, 1).

${table(
  ['method', 'trained values', ...cuts.map(({ bottom, top }) => `cut ${bottom}, ${top}`)],
  measured.map(({ title }, row) => {
    const steps = columns.map((column) => column[row]);
    return [title, steps.at(-1)!.values.toLocaleString('en'), ...steps.map(cell)];
  }),
)}

Without blocks at the top only rows that carry loss come back, and their cotangents go up; with blocks there every row does.
The cotangent of every text row comes down where something below the backbone trains: tokens, or blocks at the bottom.

## Held to
Each method is held to its reference through a gateway (\`test/integration/peft-methods.test.ts\`, on what PEFT 0.21 computed).

- Thirty steps of training are within 1e-4 of the reference's losses.
- The reference's files, read here, give its logits within 1e-5, and our files equal its own.
- PEFT's logits with files written here are within 1e-5 (\`npm run conformance\`).

The cuts are (0, 0) and (1, 1); for blocks and for some families (1, 1) alone.

${table(
  ['method', 'reference', 'families'],
  names.map((name) => [`\`${name}\``, name === 'full' ? 'torch' : 'PEFT', heldTo(name)]),
)}

## Conventions
- **Embedding scale.**
  A soft prompt is kept and saved in PEFT's space and enters the model where transformers' \`inputs_embeds\` does.
  Gemma 2 and Gemma 3 multiply rows by sqrt(d) inside the token embedding, so a prompt is *not* scaled.
  A prompt that begins as text begins with scaled rows.
  Granite multiplies all embeddings that it receives by \`embedding_multiplier\`, so a prompt *is* scaled.
  Trained tokens are rows of the table, before any scale.
  Both are held to PEFT's curves, and \`test/integration/prompt-scale.test.ts\` states each in one line.
- **First token.**
  With a soft prompt the last virtual token predicts the first real one, which carries loss.
  With a prefix, or with neither, the first real token carries none.
- **Prefixes** are keys after rotary embedding and after the norm of keys, and values; text begins at position P.
- **Multitask** loss is the mean over the label tokens of all tasks in the batch; each task has its own Forward.
- **Trained tokens** also replace columns of a head that is tied to the table.
  PEFT's files then hold them twice.
- **LoRA on a tied head** leaves the embedding as it is.
  Files that PEFT saved with the base weights of the head among them load as well.
- **Classification** reads the last real row of each sequence.
  PEFT's prompt learning reads the last *column*, padded or not: give it batches of one length, or it computes something else.
- **Alone or in a batch** a sequence gives the same, except under rope types that look at the length of the batch ([families.md](families.md)).
`;
}

function heldTo(name: MethodName): string {
  return methodFamilies()
    .filter((family) => methodCaseNames(family).some(({ method }) => method.split('+').includes(name)))
    .join(', ');
}

/** What one optimizer step took. */
interface Step {
  readonly values: number;
  readonly calls: string;
  readonly bytesUp: number;
  readonly bytesDown: number;
}

function cell(step: Step | undefined): string {
  if (step === undefined) return '–';
  return `${step.calls}, ${step.bytesUp.toLocaleString('en')} up, ${step.bytesDown.toLocaleString('en')} down`;
}

/** A step of each row at one cut; undefined where the client holds no block. */
async function measureCut(cut: { readonly bottom: number; readonly top: number }): Promise<readonly (Step | undefined)[]> {
  const { backboneDir, bundleDir } = await packedFixture(FIXTURE, cut);
  const gateway = await startTestGateway({ backboneDir });
  const bundle = await ClientBundle.open(bundleDir, { threads: 1 });
  const connection = await connect({ address: gateway.gateway.listen, ca: gateway.gateway.caFile!, token: await gateway.token() });
  try {
    const steps: (Step | undefined)[] = [];
    for (const row of measured) {
      steps.push(row.blocks === true && cut.bottom + cut.top === 0 ? undefined : await measureStep(bundle, connection, row));
    }
    return steps;
  } finally {
    connection.close();
    await bundle.close();
    await gateway.close();
  }
}

async function measureStep(bundle: ClientBundle, connection: Connection, { names, settings }: Measured): Promise<Step> {
  const adapter = await createAdapter(caseContext(bundle), names, { virtualTokens: P, ...settings });
  const calls: string[] = [];
  const client = new TrainingClient(bundle, listening(connection, calls), adapter);
  const before = { ...connection.counters };
  await client.forwardBackward(batch(adapter.tasks !== undefined));
  await client.optimStep();
  const { bytesUp, bytesDown } = connection.counters;
  return {
    values: adapter.parameters.reduce((sum, { value }) => sum + value.data.length, 0),
    calls: calls.sort((a, b) => 'FfB'.indexOf(a) - 'FfB'.indexOf(b)).join(' '),
    bytesUp: bytesUp - before.bytesUp,
    bytesDown: bytesDown - before.bytesDown,
  };
}

/** The connection, with a letter for each call written down. */
function listening(connection: Connection, calls: string[]): Connection {
  return new Proxy(connection, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        const request = args[1] as { readonly cotangent?: unknown; readonly training?: boolean } | undefined;
        if (key === 'call') calls.push(request?.cotangent !== undefined ? 'B' : request?.training === false ? 'f' : 'F');
        return value.apply(target, args) as unknown;
      };
    },
  });
}

/** The same numbers on every machine. */
function batch(tasks: boolean): readonly Example[] {
  return Array.from({ length: B }, (_, b) => ({
    tokenIds: Int32Array.from({ length: S }, (_, s) => 4 + ((37 * b + 11 * s) % 90)),
    labelMask: Uint8Array.from({ length: S }, (_, s) => (s >= S - LOSS ? 1 : 0)),
    promptLength: S - LOSS,
    classLabel: b % 3,
    source: `docs:${b}`,
    ...(tasks ? { task: b % 2 } : {}),
  }));
}

function settingsText(settings: LearningRateWith['settings']): string {
  return Object.entries(settings)
    .map(([name, value]) => `\`${name}${value === true ? '' : ` ${value}`}\``)
    .join(' and ');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
