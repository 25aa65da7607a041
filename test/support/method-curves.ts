/**
 * What PEFT does with each method (`test/fixtures/peft`, made by `test/conformance/methods.py`),
 * and our adapters with the same first values.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Adapter } from '../../clients/typescript/adapters/adapter.js';
import type { AdapterContext, AdapterModel } from '../../clients/typescript/adapters/context.js';
import { createAdapter } from '../../clients/typescript/adapters/registry.js';
import type { MethodSettingsInput } from '../../clients/typescript/adapters/setting-table.js';
import { makeBatch } from '../../clients/typescript/data/batch.js';
import type { Example } from '../../clients/typescript/data/examples.js';
import type { ClientBundle } from '../../clients/typescript/model/client-bundle.js';
import type { SplitModel } from '../../clients/typescript/model/split-model.js';
import { packageRoot } from '../../src/files/package-root.js';
import { readTensors } from '../../src/safetensors/tensors-file.js';
import { f32, type Tensor } from '../../src/tensor/tensor.js';

const ROOT = join(packageRoot(), 'test', 'fixtures', 'peft');

/** One method's curve on one family. */
export interface MethodCase {
  readonly family: string;
  /** The directory's name; a method may have several, such as P-tuning with either encoder. */
  readonly name: string;
  /** Where PEFT's saved adapter lies; undefined for a method that PEFT does not have. */
  readonly peftDir: string | undefined;
  /** Cutlayer's name, or several joined by `+`. */
  readonly method: string;
  readonly settings: MethodSettingsInput;
  readonly cuts: readonly { readonly bottom: number; readonly top: number }[];
  readonly optimizer: {
    readonly learningRate: number;
    readonly beta1: number;
    readonly beta2: number;
    readonly epsilon: number;
    readonly weightDecay: number;
  };
  /** Used in turn. */
  readonly batches: readonly (readonly Example[])[];
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
  /** By parameter name; empty where training starts from the checkpoint. */
  readonly initial: ReadonlyMap<string, Tensor<'float32'>>;
  /** By parameter name; empty for full training. */
  readonly final: ReadonlyMap<string, Tensor<'float32'>>;
  /** The batch that {@link logits} belong to. */
  readonly logitsBatch: readonly Example[];
  /** Of the trained adapter: [real rows, vocabSize], or [sequences, classes]. */
  readonly logits: Tensor<'float32'>;
}

interface CurveJson extends Pick<MethodCase, 'method' | 'cuts' | 'optimizer' | 'losses' | 'gradientNorms'> {
  readonly settings: Omit<MethodSettingsInput, 'tokens'> & { readonly tokenIds?: readonly number[] };
  readonly batches: 'tokens' | 'classes';
}

interface BatchJson {
  readonly tokenIds: readonly (readonly number[])[];
  readonly lengths: readonly number[];
  /** Of tokens (-100: none) or of classes. */
  readonly labels: readonly (number | readonly number[])[];
  readonly taskIds?: readonly number[];
}

interface BatchesJson {
  readonly logitsBatch: number;
  readonly tokens: readonly BatchJson[];
  readonly classes: readonly BatchJson[];
}

/** Families that have curves. */
export function methodFamilies(): readonly string[] {
  return readdirSync(ROOT).sort();
}

/** Names of a family's cases, with the method and the cuts of each. */
export function methodCaseNames(family: string): readonly (Pick<MethodCase, 'name' | 'method' | 'cuts'> & { readonly steps: number })[] {
  const names = readdirSync(join(ROOT, family), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return names.map(({ name }) => {
    const { method, cuts, losses } = readJson<CurveJson>(join(ROOT, family, name, 'curve.json'));
    return { name, method, cuts, steps: losses.length };
  });
}

/** Reads a case. */
export async function readMethodCase(family: string, name: string): Promise<MethodCase> {
  const dir = join(ROOT, family, name);
  const { batches: kind, settings, ...curve } = readJson<CurveJson>(join(dir, 'curve.json'));
  const batchesJson = readJson<BatchesJson>(join(ROOT, family, 'batches.json'));
  const batches = batchesJson[kind].map((batch) => toExamples(batch, `${family}/${name}`, settings.tasks !== undefined));
  const tensors = (await readTensors(join(dir, 'curve.safetensors'))).tensors as ReadonlyMap<string, Tensor<'float32'>>;
  const named = (prefix: string) =>
    new Map([...tensors].flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [])));
  const { tokenIds, ...others } = settings;
  return {
    family,
    name,
    ...curve,
    settings: { ...others, ...(tokenIds === undefined ? {} : { tokens: tokenIds.map(String) }) },
    peftDir: existsSync(join(dir, 'adapter_config.json')) ? dir : undefined,
    batches,
    initial: named('initial.'),
    final: named('final.'),
    logitsBatch: batches[batchesJson.logitsBatch]!,
    logits: tensors.get('logits')!,
  };
}

/**
 * What adapters are made with: the bundle, with token ids in place of their texts, since most tiny
 * checkpoints have no tokenizer.
 */
export function caseContext(bundle: ClientBundle): AdapterContext {
  const model: AdapterModel = new Proxy(bundle, {
    get(target, key) {
      if (key === 'encode') return (text: string) => [Number(text)];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return { bundle: model };
}

/** A new adapter of a case with given parameters; what the map lacks stays as the method begins. */
export async function caseAdapter(
  bundle: ClientBundle,
  item: MethodCase,
  values: ReadonlyMap<string, Tensor<'float32'>>,
): Promise<Adapter> {
  const adapter = await createAdapter(caseContext(bundle), item.method, item.settings);
  const unused = new Set(values.keys());
  for (const { name, value } of adapter.parameters) {
    const plain = plainName(name);
    const wanted = values.get(plain);
    if (wanted === undefined) continue;
    if (wanted.shape.join() !== value.shape.join()) throw new Error(`${name}: PEFT has [${wanted.shape}], we have [${value.shape}]`);
    value.data.set(wanted.data);
    unused.delete(plain);
  }
  if (unused.size > 0 || (values.size > 0 && values.size !== adapter.parameters.length)) {
    const ours = adapter.parameters.map(({ name }) => name);
    throw new Error(`parameters: PEFT has ${[...values.keys()].join(', ')}; we have ${ours.join(', ')}`);
  }
  return adapter;
}

/** A parameter's name without the method that a combination puts before it. */
export function plainName(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}

/**
 * Logits after every real token, each from the sequence up to that token: [real tokens, vocabSize]
 * in order. With a classification head: those of each sequence, [sequences, classes].
 */
export async function allLogits(model: SplitModel, adapter: Adapter, examples: readonly Example[]): Promise<Tensor<'float32'>> {
  const whole = adapter.labels !== undefined;
  const batches = adapter.tasks === undefined ? [examples] : examples.map((example) => [example]);
  const logits: Tensor<'float32'>[] = [];
  for (const together of batches) {
    const parts = await adapter.parts(adapter.tasks === undefined ? undefined : together[0]!.task);
    const beginnings = together.flatMap(({ tokenIds }) =>
      whole ? [tokenIds] : Array.from(tokenIds, (_, last) => tokenIds.slice(0, last + 1)),
    );
    const batch = makeBatch(beginnings.map((tokenIds) => ({ tokenIds, labelMask: new Uint8Array(tokenIds.length) })));
    logits.push(await (whole ? model.classLogits(batch, parts) : model.nextLogits(batch, parts)));
  }
  const width = logits[0]!.shape[1]!;
  const data = logits.flatMap((tensor) => [...tensor.data]);
  return f32([data.length / width, width], data);
}

function toExamples({ tokenIds, lengths, labels, taskIds }: BatchJson, source: string, tasks: boolean): readonly Example[] {
  return lengths.map((length, b) => {
    const label = labels[b]!;
    const labelMask =
      typeof label === 'number' ? new Uint8Array(length) : Uint8Array.from(label.slice(0, length), (id) => (id === -100 ? 0 : 1));
    return {
      tokenIds: Int32Array.from(tokenIds[b]!.slice(0, length)),
      labelMask,
      promptLength: 0,
      source: `${source}:${b}`,
      ...(typeof label === 'number' ? { classLabel: label } : {}),
      ...(tasks ? { task: taskIds![b]! } : {}),
    };
  });
}

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}
