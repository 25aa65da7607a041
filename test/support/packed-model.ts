/**
 * Packs a fixture and runs its parts as their owners do: the client's graphs and the backbone's,
 * each by path, weights mapped.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import type { FloatFeeds } from '../../clients/typescript/adapters/adapter.js';
import { spanRows } from '../../clients/typescript/model/span-rows.js';
import type { GraphEntry, SpanGraphs, SpanKind } from '../../src/artifacts/manifest.js';
import { firstRows, wholeFeeds } from '../../src/artifacts/row-feeds.js';
import { stepGraphsOf } from '../../src/artifacts/step-graphs.js';
import { type BackboneArtifact, type ClientBundleArtifact, loadBackbone, loadClientBundle } from '../../src/artifacts/store.js';
import { pack } from '../../src/compiler/pack/pack.js';
import { packageRoot } from '../../src/files/package-root.js';
import { readTensors } from '../../src/safetensors/tensors-file.js';
import { f32, type Tensor, tensor } from '../../src/tensor/tensor.js';
import { type PackedFixture, packedFixture } from './packed-fixture.js';
import { runSession, type Tensors } from './session.js';

/** A fixture's directory. */
export function fixtureDir(name: string): string {
  return join(packageRoot(), 'test', 'fixtures', name);
}

/** The reference tensors of a fixture, by its name or its directory. */
export async function readReference(fixture: string): Promise<(key: string) => Tensor<'float32'>> {
  const dir = isAbsolute(fixture) ? fixture : fixtureDir(fixture);
  const { tensors } = await readTensors(join(dir, 'reference.safetensors'));
  return (key) => {
    const found = tensors.get(key);
    if (found === undefined) throw new Error(`test: ${fixture} has no reference ${key}`);
    return found as Tensor<'float32'>; // int64 ones are only fed on
  };
}

/** max|a - b| / max|b|, the measure of all conformance tests. */
export function maxRelativeError(actual: Tensor, expected: Tensor): number {
  if (actual.shape.join() !== expected.shape.join()) throw new Error(`test: shape [${actual.shape}] is not [${expected.shape}]`);
  let scale = 0;
  let difference = 0;
  for (let i = 0; i < expected.data.length; i++) {
    scale = Math.max(scale, Math.abs(Number(expected.data[i])));
    const off = Math.abs(Number(actual.data[i]) - Number(expected.data[i]));
    difference = Number.isNaN(off) ? Number.NaN : Math.max(difference, off);
    if (Number.isNaN(difference)) return difference;
  }
  return scale === 0 ? difference : difference / scale;
}

/** Rows of the outermost axis. */
export function takeRows({ shape, data }: Tensor<'float32'>, rows: readonly number[]): Tensor<'float32'> {
  const width = data.length / shape[0]!;
  const taken = new Float32Array(rows.length * width);
  rows.forEach((row, at) => {
    taken.set(data.subarray(row * width, (row + 1) * width), at * width);
  });
  return f32([rows.length, ...shape.slice(1)], taken);
}

/** A tensor of rows, zero but for those given; equal indexes add up. */
export function scatterRows(values: Tensor<'float32'>, rows: readonly number[], count: number): Tensor<'float32'> {
  const width = values.data.length / values.shape[0]!;
  const data = new Float32Array(count * width);
  rows.forEach((row, at) => {
    for (let i = 0; i < width; i++) data[row * width + i]! += values.data[at * width + i]!;
  });
  return f32([count, ...values.shape.slice(1)], data);
}

/** Flat row indexes as the graphs take them. */
export function positionsTensor(rows: readonly number[]): Tensor<'int64'> {
  return tensor('int64', [rows.length], BigInt64Array.from(rows, BigInt));
}

/**
 * An adapter as it is fed: nothing, a soft prompt [P,d] or a prefix [layers of the whole
 * model,2,P,kv,headDim].
 */
export interface Adapter {
  readonly kind: SpanKind;
  readonly value?: Tensor<'float32'>;
}

/** What a backward gives. */
export interface StepCotangents {
  readonly inputsEmbeds: Tensor<'float32'>;
  readonly adapter?: Tensor<'float32'>;
  /** Of the client's block weights, `<name>Cotangent`, where they were given. */
  readonly blockWeights: Tensors;
  /**
   * What crosses the cut on the way back: of the backbone's output, and of its hidden states and
   * soft prompt rows.
   */
  readonly crossing: { readonly output: Tensor; readonly hiddenStates: Tensor; readonly softPrompt?: Tensor };
}

/** What one forward leaves for its backward. */
export interface ModelStep {
  /** [N, d]: the rows at `positions`, before the final norm. */
  readonly rows: Tensor;
  readonly backward: (rowsCotangent: Tensor) => Promise<StepCotangents>;
  /** What crosses the cut. */
  readonly crossing: { readonly hiddenStates: Tensor; readonly softPrompt?: Tensor; readonly output: Tensor };
}

/** A packed checkpoint, its halves loaded. */
export class PackedModel {
  private readonly sessions = new Map<string, Promise<InferenceSession>>();

  private constructor(
    /** Removed when it is closed. */
    readonly root: string | undefined,
    readonly backbone: BackboneArtifact,
    readonly bundle: ClientBundleArtifact,
  ) {}

  /** Opens what has been packed; `root` is removed when it is closed. */
  static async open(root: string, dirs: { readonly backboneDir: string; readonly clientBundleDir: string }): Promise<PackedModel> {
    return new PackedModel(root, await loadBackbone(dirs.backboneDir), await loadClientBundle(dirs.clientBundleDir));
  }

  /** What was packed once for all tests of a run. */
  static async shared({ backboneDir, bundleDir }: PackedFixture): Promise<PackedModel> {
    return new PackedModel(undefined, await loadBackbone(backboneDir), await loadClientBundle(bundleDir));
  }

  /** A fixture, packed once for all tests of a run. */
  static async fixture(name: string, bottom: number, top: number): Promise<PackedModel> {
    return PackedModel.shared(await packedFixture(name, { bottom, top }));
  }

  static async pack(checkpointDir: string, bottom: number, top: number): Promise<PackedModel> {
    const root = await mkdtemp(join(tmpdir(), 'cutlayer-packed-'));
    return PackedModel.open(root, await pack({ checkpointDir, bottom, top, outDir: join(root, 'out') }));
  }

  async close(): Promise<void> {
    for (const session of this.sessions.values()) await (await session).release();
    if (this.root !== undefined) await rm(this.root, { recursive: true, force: true });
  }

  async run(side: 'backbone' | 'client', entry: GraphEntry, feeds: Tensors): Promise<Tensors> {
    const path = join(side === 'backbone' ? this.backbone.dir : this.bundle.dir, entry.file);
    let session = this.sessions.get(path);
    if (session === undefined) {
      session = InferenceSession.create(path, {
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        logSeverityLevel: 3,
        extra: { session: { disable_prepacking: '1' } },
      });
      this.sessions.set(path, session);
    }
    return runSession(await session, feeds);
  }

  /** Runs a span of the client on padded rows, padding counted. */
  async #runSpan(span: 'bottom' | 'top', graphs: SpanGraphs, which: 'forward' | 'vjp', feeds: Tensors): Promise<Tensors> {
    const rows = spanRows(span, graphs, feeds);
    return rows.outputs((await this.run('client', graphs[which], rows.feeds)) as FloatFeeds); // these graphs compute in float32
  }

  /**
   * Client bottom, backbone, client top. @param blockWeights all weights of the client's blocks:
   * the trained graphs run.
   */
  async forward(
    inputsEmbeds: Tensor<'float32'>,
    { kind, value }: Adapter,
    positions: readonly number[],
    blockWeights?: Tensors,
  ): Promise<ModelStep> {
    const { cut } = this.backbone.manifest;
    const { graphs: clientGraphs } = this.bundle.manifest;
    const bottom = blockWeights === undefined ? clientGraphs.bottom : (clientGraphs.bottom?.trained ?? clientGraphs.bottom);
    const top = blockWeights === undefined ? clientGraphs.top : clientGraphs.top?.trained;
    const [B, S, d] = inputsEmbeds.shape as readonly [number, number, number];
    const P = kind === 'none' ? 0 : kind === 'softPrompt' ? value!.shape[0]! : value!.shape[2]!;
    const promptRows = kind === 'softPrompt' ? P : 0;
    const slice = (first: number, end: number): Tensors =>
      kind === 'prefix' && end > first ? { prefix: sliceLayers(value!, first, end) } : {};
    const wanted = positionsTensor(positions);

    const bottomFeeds: Tensors = {
      ...blockWeights,
      inputsEmbeds,
      ...(kind === 'softPrompt' && { softPrompt: value! }),
      ...slice(0, cut.bottom),
      numVirtualTokens: tensor('int64', [], BigInt64Array.of(BigInt(P))),
    };
    const below: Tensors =
      bottom === undefined
        ? { hiddenStates: inputsEmbeds, ...(kind === 'softPrompt' && { softPromptHidden: value! }) }
        : await this.#runSpan('bottom', bottom[kind], 'forward', bottomFeeds);

    const graphs = stepGraphsOf(this.backbone.manifest, kind);
    const backboneFeeds: Tensors = {
      ...wholeFeeds(below.hiddenStates as Tensor<'float32'>, graphs.forward.inputs),
      cotangentRows: firstRows(B * S),
      ...(kind === 'softPrompt' && { softPrompt: below.softPromptHidden! }),
      ...slice(cut.bottom, cut.numLayers - cut.top),
      positions: top === undefined ? wanted : positionsTensor([...Array(promptRows + B * S).keys()]),
    };
    const forward = await this.run('backbone', graphs.forward, backboneFeeds);

    const topFeeds: Tensors =
      top === undefined
        ? {}
        : {
            ...blockWeights,
            ...parted(forward.output as Tensor<'float32'>, promptRows, [B, S, d]),
            ...slice(cut.numLayers - cut.top, cut.numLayers),
            positions: wanted,
          };
    const rows = top === undefined ? forward.output! : (await this.#runSpan('top', top[kind], 'forward', topFeeds)).rows!;

    const backward = async (rowsCotangent: Tensor): Promise<StepCotangents> => {
      const above: Tensors = top === undefined ? {} : await this.#runSpan('top', top[kind], 'vjp', { ...topFeeds, rowsCotangent });
      const cotangent = top === undefined ? rowsCotangent : joined(above.softPromptHiddenCotangent, above.hiddenStatesCotangent!, d);
      const given = await this.run('backbone', graphs.vjp, { ...backboneFeeds, ...forward, cotangent });
      const ofText = { ...given.hiddenStatesCotangent!, shape: [B, S, d] };
      const within: Tensors = { ...given, hiddenStatesCotangent: ofText };
      const belowCotangents: Tensors =
        bottom === undefined
          ? { inputsEmbedsCotangent: within.hiddenStatesCotangent!, softPromptCotangent: within.softPromptCotangent! }
          : await this.#runSpan('bottom', bottom[kind], 'vjp', {
              ...bottomFeeds,
              hiddenStatesCotangent: within.hiddenStatesCotangent!,
              ...(kind === 'softPrompt' && { softPromptHiddenCotangent: within.softPromptCotangent! }),
            });
      const prefixParts = [belowCotangents.prefixCotangent, within.prefixCotangent, above.prefixCotangent].filter(
        (part) => part !== undefined,
      );
      return {
        inputsEmbeds: belowCotangents.inputsEmbedsCotangent as Tensor<'float32'>,
        ...(kind === 'softPrompt' && { adapter: belowCotangents.softPromptCotangent as Tensor<'float32'> }),
        ...(kind === 'prefix' && { adapter: stackLayers(prefixParts) }),
        blockWeights: cotangentsOf(Object.keys(blockWeights ?? {}), { ...above, ...belowCotangents }),
        crossing: {
          output: cotangent,
          hiddenStates: within.hiddenStatesCotangent!,
          ...(kind === 'softPrompt' && { softPrompt: within.softPromptCotangent! }),
        },
      };
    };
    return {
      rows,
      backward,
      crossing: {
        hiddenStates: below.hiddenStates!,
        ...(kind === 'softPrompt' && { softPrompt: below.softPromptHidden! }),
        output: forward.output!,
      },
    };
  }
}

function cotangentsOf(names: readonly string[], found: Tensors): Tensors {
  return Object.fromEntries(names.map((name) => [`${name}Cotangent`, found[`${name}Cotangent`]!]));
}

function sliceLayers({ shape, data }: Tensor<'float32'>, first: number, end: number): Tensor<'float32'> {
  const width = data.length / shape[0]!;
  return f32([end - first, ...shape.slice(1)], data.slice(first * width, end * width));
}

function stackLayers(parts: readonly Tensor[]): Tensor<'float32'> {
  const data = Float32Array.from(parts.flatMap((part) => [...(part.data as Float32Array)]));
  return f32([parts.reduce((sum, { shape }) => sum + shape[0]!, 0), ...parts[0]!.shape.slice(1)], data);
}

function parted(rows: Tensor<'float32'>, promptRows: number, shape: readonly [number, number, number]): Tensors {
  const hiddenStates = f32(shape, rows.data.slice(promptRows * shape[2]));
  return promptRows === 0
    ? { hiddenStates }
    : { hiddenStates, softPromptHidden: f32([promptRows, shape[2]], rows.data.slice(0, promptRows * shape[2])) };
}

function joined(prompt: Tensor | undefined, hiddenStates: Tensor, d: number): Tensor {
  const data = Float32Array.from([...((prompt?.data ?? []) as Iterable<number>), ...(hiddenStates.data as Float32Array)]);
  return f32([data.length / d, d], data);
}
