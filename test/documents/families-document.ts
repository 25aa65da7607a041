/** docs/families.md: what each family of the registry computes, read from the parsed configs of its fixtures, and which keys it refuses, by trying them. */

import { describeModel, families, multimodalFamilies } from '../../src/compiler/models/registry.js';
import type { DecoderSpec, RopeSpec } from '../../src/compiler/models/spec.js';
import { CutlayerError } from '../../src/errors.js';
import { type ReferenceFixture, referenceFixtures } from '../support/reference-fixtures.js';

type FamilyName = keyof typeof families;

/** Published checkpoints whose config has the family's `model_type`. A new family does not compile without its row. */
const checkpoints: Readonly<Record<FamilyName, readonly string[]>> = {
  gpt2: ['openai-community/gpt2', 'openai-community/gpt2-xl', 'distilbert/distilgpt2'],
  llama: ['meta-llama/Llama-3.1-8B', 'meta-llama/Llama-3.2-1B', 'TinyLlama/TinyLlama-1.1B-Chat-v1.0', 'HuggingFaceTB/SmolLM2-135M'],
  mistral: ['mistralai/Mistral-7B-v0.1', 'mistralai/Mistral-7B-v0.3', 'mistralai/Mistral-Nemo-Base-2407'],
  qwen2: ['Qwen/Qwen2-0.5B', 'Qwen/Qwen2.5-7B'],
  qwen3: ['Qwen/Qwen3-0.6B', 'Qwen/Qwen3-8B'],
  gemma: ['google/gemma-2b', 'google/gemma-7b'],
  gemma2: ['google/gemma-2-2b', 'google/gemma-2-9b'],
  gemma3_text: ['google/gemma-3-270m', 'google/gemma-3-1b-pt'],
  phi3: ['microsoft/Phi-3-mini-4k-instruct', 'microsoft/Phi-3.5-mini-instruct', 'microsoft/Phi-4-mini-instruct', 'microsoft/phi-4'],
  olmo2: ['allenai/OLMo-2-0425-1B', 'allenai/OLMo-2-1124-7B'],
  granite: ['ibm-granite/granite-3.1-2b-base', 'ibm-granite/granite-3.3-8b-instruct'],
};

/** Keys of other decoders' configs that change what is computed, each with a value that does. */
const foreignKeys: Readonly<Record<string, unknown>> = {
  add_cross_attention: true,
  alibi: true,
  attention_chunk_size: 8,
  clip_qkv: 8,
  kv_lora_rank: 16,
  layer_types: ['linear_attention', 'full_attention', 'linear_attention', 'full_attention'],
  no_rope_layers: [1, 1, 1, 0],
  num_experts: 4,
  num_local_experts: 4,
  quantization_config: { bits: 4 },
  rope_interleaved: true,
  scale_attn_by_inverse_layer_idx: true,
  use_bidirectional_attention: true,
};

interface Member {
  readonly fixture: ReferenceFixture;
  readonly spec: DecoderSpec;
}

/** The document's text. */
export function familiesDocument(): string {
  const members = referenceFixtures().map((fixture) => ({ fixture, spec: describeModel(fixture.configText).spec }));
  const names = Object.keys(families) as FamilyName[];
  const of = (family: FamilyName): Member[] => members.filter(({ fixture }) => fixture.modelType === family);
  return `# Model families

<!-- Written by \`npm run generate:docs\` from the registry and the fixtures (test/documents/families-document.ts); \`npm test\` fails when it is stale. -->

\`cutlayer pack\` reads these decoders from Hugging Face checkpoints: safetensors, one file or shards, float32, float16 or bfloat16.
\`config.json\` may be in the form of transformers 4 or 5.
\`npm test\` holds each row to transformers' logits, hidden states, and input, soft prompt and prefix gradients.
Logits are within 1e-5 and gradients within 1e-4, as max|a - b| / max|b|.
The cuts (bottom, top) are (0, 0), (1, 0), (0, 1) and (1, 1), and the batches cross every window and every original context.
The table is read from the parsed configs of the fixtures, so it states what is tested.
The checkpoints are examples of published ones with that \`model_type\`.

${table(
  [
    '`model_type`',
    'checkpoints, for example',
    'normalization',
    'attention',
    'positions',
    'windows',
    'feed-forward',
    'embedding and head',
    'fixtures',
  ],
  names.map((name) => row(name, of(name))),
)}

How to read the table:

- *before*, *after* and *around* say where a sublayer's normalization stands.
- *1 + w* says that the stored weight is the distance from 1.
- *grouped* says that several query heads share a key/value head.
- *or* says that the config decides.
- *prompts too* says that the model scales every embedding that it receives, a soft prompt as well.
  Gemma's scale belongs to its token embedding, so a soft prompt of PEFT enters as it is.

## Rope types

${table(
  ['type', 'looks at the length of the batch', 'fixtures'],
  ropeRows(members).map(({ type, byLength, fixtures }) => [type, byLength, fixtures]),
)}

Both config dialects are read: \`rope_theta\` with \`rope_scaling\` (transformers 4) and \`rope_parameters\` (transformers 5).
In Gemma 3 \`rope_parameters\` is by layer type.
Dynamic and longrope look at transformers' length: the padded length of the batch with its virtual tokens.
So for these two a sequence gives other values alone than in a longer batch, as in transformers.
A transformers model also remembers the longest batch that it has seen.
Cutlayer does not, so it gives what a freshly loaded model gives.
Beyond its switch a longrope sequence keeps its rows as it grows, so a decode session is computed anew once, at the switch.
\`generate\` of transformers does the same for Phi 3.
Beyond \`max_position_embeddings\` a dynamic sequence changes all its rows with each token, so no session goes beyond it.
\`generate\` of transformers keeps the keys of before there, and gives other logits than a whole sequence.

## Models that also read images

\`cutlayer pack\` takes the text model out of these and leaves the rest out: ${Object.keys(multimodalFamilies)
    .map((name) => `\`${name}\``)
    .join(', ')}.
Tensors may have the names of transformers 4 or 5.
\`npm test\` holds each to transformers' logits for texts without images.

## Names of tensors

Words that training wrappers put into names are left out: \`_orig_mod.\`, \`module.\`, and those of FSDP and of trainers.
The family's own prefix (\`model.\`, \`transformer.\`) may be absent.

## What is refused

A config is refused by name when it says something that would be computed differently.
Every key must be one that the family reads, known to change nothing, or switched off (null, false, 0 or empty).
So a key that is new in some release of transformers is refused until it is read.
The table tries keys that other families read, and some of other decoders, each with a value that some decoder gives a meaning.
These are refused:

${table(['by', 'refused, by name'], refusalRows(names, of, members))}
`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function row(name: FamilyName, members: readonly Member[]): string[] {
  if (members.length === 0) throw new Error(`the family ${name} has no fixture with reference values`);
  const specs = members.map(({ spec }) => spec);
  return [
    `\`${name}\``,
    checkpoints[name].join(', '),
    options(specs, normalization),
    options(specs, attention),
    options(specs, positions),
    options(specs, windows),
    options(specs, feedForward),
    options(specs, embeddingAndHead),
    members.map(({ fixture }) => fixture.name).join(', '),
  ];
}

/** What the specs of a family say, each thing once. */
function options(specs: readonly DecoderSpec[], say: (spec: DecoderSpec) => string): string {
  return [...new Set(specs.map(say))].join(' or ');
}

function normalization({ norm }: DecoderSpec): string {
  return `${norm.kind === 'rmsNorm' ? 'RMS' : 'layer'} ${norm.placement}${norm.weightOffset === 1 ? ', 1 + w' : ''}`;
}

function attention({ attention: a, hiddenSize }: DecoderSpec): string {
  return [
    a.numKvHeads === 1 ? 'one key/value head' : a.numKvHeads < a.numHeads ? 'grouped' : 'a key/value head for each query head',
    a.projections === 'fused' && 'fused qkv',
    a.qkvBias && (a.outputBias ? 'biases' : 'q/k/v biases'),
    a.queryKeyNorm === 'head' && 'query and key norms by head',
    a.queryKeyNorm === 'projection' && 'query and key norms over all heads',
    a.headDim !== hiddenSize / a.numHeads && 'own head_dim',
    Math.abs(a.scale - a.headDim ** -0.5) > 1e-9 && 'own scale',
    a.softcap !== null && 'softcap',
  ]
    .filter((part) => part !== false)
    .join(', ');
}

function positions({ position }: DecoderSpec): string {
  if (position.kind === 'learned') return 'learned';
  const rope = `rope ${typeName(position.rope)}`;
  return position.windowRope === undefined ? rope : `${rope}, ${typeName(position.windowRope)} in windows`;
}

function typeName({ scaling }: RopeSpec): string {
  return scaling === 'none' ? 'default' : scaling;
}

function windows({ attention: { windows: all } }: DecoderSpec): string {
  const sliding = all.filter((window) => window !== null).length;
  return sliding === 0 ? 'none' : sliding === all.length ? 'every block' : 'some blocks';
}

function feedForward({ mlp }: DecoderSpec): string {
  return [mlp.kind, mlp.projections === 'fused' && 'fused gate and up', mlp.activation, mlp.bias && 'biases']
    .filter((part) => part !== false)
    .join(', ');
}

function embeddingAndHead(spec: DecoderSpec): string {
  return [
    spec.tiedHead ? 'tied' : 'own head',
    spec.embedScale !== 1 && (spec.promptScale === 1 ? 'embedding scaled' : 'embedding scaled, prompts too'),
    spec.residualScale !== 1 && 'residuals scaled',
    spec.logitScale !== 1 && 'logits scaled',
    spec.logitSoftcap !== null && 'logit softcap',
  ]
    .filter((part) => part !== false)
    .join(', ');
}

function ropeRows(members: readonly Member[]): { readonly type: string; readonly byLength: string; readonly fixtures: string }[] {
  const byLength: Readonly<Record<RopeSpec['scaling'], string>> = {
    none: 'no',
    linear: 'no',
    dynamic: 'yes: its base grows with every length beyond `max_position_embeddings`',
    yarn: 'no',
    longrope: 'yes: `short_factor` up to the original context, `long_factor` beyond',
    llama3: 'no',
  };
  return (Object.keys(byLength) as RopeSpec['scaling'][]).map((scaling) => ({
    type: scaling === 'none' ? 'default' : scaling,
    byLength: byLength[scaling],
    fixtures: members
      .filter(
        ({ spec: { position } }) =>
          position.kind === 'rope' && [position.rope, position.windowRope].some((rope) => rope?.scaling === scaling),
      )
      .map(({ fixture }) => fixture.name)
      .join(', '),
  }));
}

/** Keys that all families refuse, that all with Llama's key names refuse, and what each refuses beyond. */
function refusalRows(names: readonly FamilyName[], of: (family: FamilyName) => Member[], members: readonly Member[]): string[][] {
  const refused = new Map(names.map((name) => [name, new Set(refusedKeys(of(name)[0]!, members))]));
  const byAll = (some: readonly FamilyName[]): string[] =>
    [...refused.get(some[0]!)!].filter((key) => some.every((name) => refused.get(name)!.has(key)));
  const [all, others] = [byAll(names), byAll(names.filter((name) => name !== 'gpt2'))];
  const list = (keys: readonly string[]): string =>
    keys.map((key) => (key === 'layer_types' ? '`layer_types` beside full and sliding attention' : `\`${key}\``)).join(', ');
  return [
    ['every family', list(all)],
    ['all but `gpt2`, also', list(others.filter((key) => !all.includes(key)))],
    ...names.map((name) => {
      const shared = name === 'gpt2' ? all : others;
      return [`\`${name}\`, also`, list([...refused.get(name)!].filter((key) => !shared.includes(key)))];
    }),
  ];
}

/** The keys that a family refuses when they are added to its first fixture's config, each with a value that some decoder gives a meaning. */
function refusedKeys({ fixture }: Member, members: readonly Member[]): string[] {
  const config = JSON.parse(fixture.configText) as Record<string, unknown>;
  const candidates = new Map<string, unknown>();
  for (const member of members) {
    if (member.fixture.modelType === fixture.modelType) continue;
    for (const [key, value] of Object.entries(JSON.parse(member.fixture.configText) as Record<string, unknown>)) {
      if (value !== null && value !== false && !(key in config)) candidates.set(key, value);
    }
  }
  for (const [key, value] of Object.entries(foreignKeys)) candidates.set(key, value);
  const refused = [...candidates].filter(
    ([key, value]) => isRefusedByName({ ...config, [key]: value }, key) && !isRefusedByName(config, key),
  );
  return refused.map(([key]) => key).sort();
}

function isRefusedByName(config: object, key: string): boolean {
  try {
    describeModel(JSON.stringify(config));
    return false;
  } catch (error) {
    if (!(error instanceof CutlayerError)) throw error;
    return error.message.includes(` ${key}:`);
  }
}
