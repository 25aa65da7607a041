/**
 * The manifests of the two artifacts of `cutlayer pack` (docs/architecture.md): the vendor's
 * backbone and the client bundle. A manifest holds every file's size and sha256, the cut, the dims
 * and the graphs. The ONNX graphs hold no weights; their initializers point into `weightsFile`.
 * Manifests are parsed once, at the edge, into the types below.
 */
import { z } from 'zod';
import { CutlayerError } from '../errors.js';
import { parseJson } from '../files/json-text.js';

/** What adapts a span: nothing, rows before the text, or keys and values of every block. */
export const spanKinds = ['none', 'softPrompt', 'prefix'] as const;

export type SpanKind = (typeof spanKinds)[number];

/** The version of both manifests that this code writes and reads. */
export const FORMAT_VERSION = 2 as const;

/** Graphs of methods with client-side computations, each with a vjp; a bundle may lack some. */
export const methodGraphNames = [
  'loraMerge',
  'promptEncoderMlp',
  'promptEncoderLstmInput',
  'promptEncoderLstmCells',
  'promptEncoderLstmHead',
  'prefixProjection',
  'multitaskPrompt',
] as const;

export type MethodGraphName = (typeof methodGraphNames)[number];

const MAX_LAYERS = 4096;
const MAX_BLOCK_WEIGHTS = MAX_LAYERS * 32;
const MAX_FILES = 256;

const count = z.int().min(0);
const size = z.int().min(1);
const tokenId = z.int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits');

/** A plain path below the directory: `/`, no empty, `.` or `..` part, no drive, no NUL. */
const relativePath = z
  .string()
  .min(1)
  .max(255)
  .refine(isPlainRelativePath, 'expected a plain path below the artifact directory: no "..", no leading "/", no backslash');

/** Whether a path is a plain relative one, so that joining cannot leave the directory. */
export function isPlainRelativePath(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
  if (path.length === 0 || /[\\:\u0000-\u001f]/.test(path)) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

const fileSchema = z.strictObject({ path: relativePath, bytes: count, sha256 });

const graphSchema = z.strictObject({
  file: relativePath,
  /** Names of the graph's inputs: exactly these are fed. */
  inputs: z.array(z.string().min(1)).max(MAX_BLOCK_WEIGHTS),
  outputs: z.array(z.string().min(1)).min(1).max(MAX_BLOCK_WEIGHTS),
});

const cutSchema = z.strictObject({
  /** Blocks in the client's bottom. */
  bottom: count.max(MAX_LAYERS),
  /** Blocks in the client's top. */
  top: count.max(MAX_LAYERS),
  /** Blocks of the whole model. */
  numLayers: size.max(MAX_LAYERS),
});

const dimsSchema = z.strictObject({
  hiddenSize: size,
  /** Blocks of the backbone alone; an imported graph counts as one. */
  numLayers: size.max(MAX_LAYERS),
  /** Heads and their size; 0 where an imported graph does not state them. */
  numHeads: count,
  numKvHeads: count,
  headDim: count,
  /** Longest sequence, virtual tokens included. */
  maxPositions: size,
});

const stepGraphsSchema = z.strictObject({
  forward: graphSchema,
  /** `forward` without the residuals, for steps that no vjp follows. */
  infer: graphSchema,
  vjp: graphSchema,
  /** Outputs of `forward` that `vjp` takes back under the same names. */
  residuals: z.array(z.string().min(1)),
});

const spanGraphsSchema = z.strictObject({ forward: graphSchema, vjp: graphSchema });

const bySpanKindShape = { none: spanGraphsSchema, softPrompt: spanGraphsSchema, prefix: spanGraphsSchema };

/** The bottom or the top: weights frozen, and (with blocks) also with block weights as inputs. */
const clientSpanSchema = z.strictObject({ ...bySpanKindShape, trained: z.strictObject(bySpanKindShape).optional() });

/** Head, likelihoods or loss: plain, with LoRA, with trained rows of a tied table, with both. */
const headVariantsSchema = z.strictObject({
  plain: graphSchema,
  lora: graphSchema,
  tokens: graphSchema.optional(),
  loraTokens: graphSchema.optional(),
});

const blockWeightSchema = z.strictObject({
  /** The checkpoint's name, and the input's name in trained graphs. */
  name: z.string().min(1).max(255),
  /** The weight's function, e.g. `query`: a BlockRole of the compiler. */
  role: z.string().regex(/^[a-zA-Z]{1,64}$/, 'expected the role of a block weight'),
  /** The block, counted in the whole model. */
  layer: count.max(MAX_LAYERS),
  shape: z.array(size).min(1).max(4),
});

const moduleName = z.string().min(1).max(255);

const blockWeightsSchema = z.array(blockWeightSchema).max(MAX_BLOCK_WEIGHTS);

const shared = {
  formatVersion: z.literal(FORMAT_VERSION),
  name: z.string().min(1).max(200),
  family: z.string().min(1).max(64),
  /** Element type of weights, graph inputs and outputs. */
  dtype: z.literal('float32'),
  /** The soft prompt's rows, then token s of sequence b at P + b * S + s, position id P + s. */
  positions: z.literal('promptRowsFirst'),
  cut: cutSchema,
  dims: dimsSchema,
  /** Number of scalars among this side's weights. */
  parameters: count,
  weightsFile: relativePath,
  files: z.array(fileSchema).min(1).max(MAX_FILES),
};

/**
 * The graph that appends rows to lanes: spans of rows whose keys and values are kept. Inputs and
 * outputs have the names of `src/compiler/graphs/decode-graph.ts`.
 */
const decodeGraphSchema = z.strictObject({
  file: relativePath,
  /** Lanes that one run serves. */
  lanes: size.max(64),
  /** Longest span of rows. It ends where a rope's frequencies begin to depend on the length. */
  maxRows: size,
  /**
   * Longest span with a rope's frequencies of long sequences, from its first row on; the graph has
   * `ropeLength.b` then. Absent: no rope has one such set, or the pack is of before there were any.
   */
  longRows: size.optional(),
  /** Rows of a lane's memory are fed in multiples of this. */
  keyBlock: size.max(4096),
  /** Axes of a row's keys and of its values, after the axis of rows. */
  keyShape: z.array(size).min(1).max(4),
  valueShape: z.array(size).min(1).max(4),
});

/** Decoding through a span of the client: with frozen weights, and with them as inputs. */
const clientDecodeSchema = z.strictObject({ frozen: decodeGraphSchema, trained: decodeGraphSchema });

const length = z.number().nonnegative();

/**
 * Euclidean lengths of the rows that a client sends for tokens at k = 0: the rows of the embedding
 * with its scale, without positions.
 */
const embeddingNormsSchema = z
  .strictObject({
    /** Tokens of the vocabulary. */
    rows: size,
    least: length,
    /** Below which 1 %, 50 % and 99 % of the rows are. */
    p1: length,
    p50: length,
    p99: length,
    greatest: length,
  })
  .refine(({ least, p1, p50, p99, greatest }) => least <= p1 && p1 <= p50 && p50 <= p99 && p99 <= greatest, 'expected lengths that rise');

/** `backbone/manifest.json`. */
export const backboneManifestSchema = z
  .strictObject({
    format: z.literal('cutlayer-backbone'),
    ...shared,
    /** Absent: the client holds blocks below the cut, or the pack is of before it was measured. */
    embeddingNorms: embeddingNormsSchema.optional(),
    graphs: z.strictObject({
      none: stepGraphsSchema,
      softPrompt: stepGraphsSchema,
      /** Absent: the backbone has no inputs for keys and values, so no prefix can adapt it. */
      prefix: stepGraphsSchema.optional(),
      /** What the blocks would cache for real tokens; absent: no prefix can start from them. */
      keyValues: graphSchema.optional(),
      /** Absent: packed before decoding was known, or imported. */
      decode: decodeGraphSchema.optional(),
    }),
  })
  .superRefine((manifest, context) => {
    checkCut(manifest, context);
    checkFiles(manifest, [], context);
    if (manifest.embeddingNorms !== undefined && manifest.cut.bottom > 0)
      fail(context, ['embeddingNorms'], `expected none where the client holds blocks below the cut; it holds ${manifest.cut.bottom}`);
    checkDecode(manifest.dims, manifest.graphs.decode, ['decode'], context);
    if ((manifest.graphs.prefix !== undefined) !== manifest.dims.numHeads > 0)
      fail(context, ['graphs', 'prefix'], `expected graphs exactly where the heads are known; dims.numHeads is ${manifest.dims.numHeads}`);
    for (const kind of spanKinds) {
      const step = manifest.graphs[kind];
      if (step === undefined) continue;
      const { forward, infer, vjp, residuals } = step;
      for (const residual of residuals) {
        if (!forward.outputs.includes(residual)) fail(context, ['graphs', kind, 'residuals'], `${residual} is not an output of forward`);
        if (!vjp.inputs.includes(residual)) fail(context, ['graphs', kind, 'residuals'], `${residual} is not an input of vjp`);
      }
      for (const input of infer.inputs) {
        if (!forward.inputs.includes(input)) fail(context, ['graphs', kind, 'infer'], `${input} is not an input of forward`);
      }
      for (const output of infer.outputs) {
        if (!forward.outputs.includes(output)) fail(context, ['graphs', kind, 'infer'], `${output} is not an output of forward`);
        if (residuals.includes(output)) fail(context, ['graphs', kind, 'infer'], `${output} is a residual`);
      }
    }
  });

/** Defaults of generation, from the checkpoint's `generation_config.json`. */
const generationSchema = z.strictObject({
  repetitionPenalty: z.number().positive().optional(),
  noRepeatNgramSize: z.int().min(1).optional(),
  topK: z.int().min(1).optional(),
  topP: z.number().positive().max(1).optional(),
});

/** Largest absolute values that crossed on some token sequences at `pack`; no bound. */
const wireRangeSchema = z.strictObject({
  tokens: size,
  /** In the rows that the client sends. */
  cut: z.number().nonnegative(),
  /** In the rows that the backbone gives. */
  output: z.number().nonnegative(),
});

/** `client-bundle/manifest.json`. */
export const clientBundleManifestSchema = z
  .strictObject({
    format: z.literal('cutlayer-client-bundle'),
    ...shared,
    /** sha256 of the backbone's `manifest.json` that this bundle belongs to. */
    backboneDigest: sha256,
    vocabSize: size,
    eosTokenIds: z.array(tokenId).max(1024),
    bosTokenId: tokenId.nullable(),
    padTokenId: tokenId.nullable(),
    generation: generationSchema.optional(),
    /** Absent: they were not measured. */
    wire: wireRangeSchema.optional(),
    /** Factor that `embed` has applied to the table's rows (mostly 1); soft prompts come after. */
    embedScale: z.number().positive(),
    /** Factor on embeddings from outside, such as a soft prompt of PEFT (1 for most families). */
    promptScale: z.number().positive(),
    /** Layout of blocks' linear weights: torch's Linear is [out, in], GPT-2's Conv1D [in, out]. */
    linearLayout: z.enum(['outIn', 'inOut']),
    /** The head's weight is the token embedding. */
    tiedHead: z.boolean(),
    /** transformers' names of the modules outside the blocks, as adapters use them. */
    modules: z.strictObject({ embedTokens: moduleName, head: moduleName }),
    /** The weights of the client's blocks, in the order of the blocks. */
    blockWeights: z.strictObject({ bottom: blockWeightsSchema, top: blockWeightsSchema }),
    tokenizerFiles: z.array(relativePath),
    graphs: z.strictObject({
      embed: graphSchema,
      head: headVariantsSchema,
      /** `loss` without weights and cotangents, for evaluation. */
      likelihood: headVariantsSchema,
      loss: headVariantsSchema,
      /** A classification head in place of the LM head. */
      classifier: z.strictObject({ forward: graphSchema, loss: graphSchema }),
      /** Absent: the bottom is the identity. */
      bottom: clientSpanSchema.optional(),
      /** Absent: the top has no blocks. */
      top: clientSpanSchema.optional(),
      methods: z.partialRecord(z.enum(methodGraphNames), spanGraphsSchema),
      /** The client's part of the backbone's graph of this name, if the client holds blocks. */
      keyValues: z.strictObject({ bottom: graphSchema.optional(), top: graphSchema.optional() }).optional(),
      /** Absent: the client holds no blocks, or was packed before it could decode through them. */
      decode: z.strictObject({ bottom: clientDecodeSchema.optional(), top: clientDecodeSchema.optional() }).optional(),
    }),
  })
  .superRefine((manifest, context) => {
    checkCut(manifest, context);
    checkBlocks(manifest, context);
    checkFiles(manifest, manifest.tokenizerFiles, context);
  });

/** Every graph below a part of a manifest's `graphs`. */
export function graphEntries(part: object): readonly Pick<GraphEntry, 'file'>[] {
  return Object.values(part).flatMap((child: unknown) => {
    if (typeof child !== 'object' || child === null) return [];
    return 'file' in child ? [child as Pick<GraphEntry, 'file'>] : graphEntries(child); // the schemas have `file` in graph entries alone
  });
}

export type BackboneManifest = z.infer<typeof backboneManifestSchema>;
export type ClientBundleManifest = z.infer<typeof clientBundleManifestSchema>;
export type GenerationDefaults = z.infer<typeof generationSchema>;
export type WireRange = z.infer<typeof wireRangeSchema>;
export type EmbeddingNorms = z.infer<typeof embeddingNormsSchema>;
/** A file of an artifact: path below its directory, size and sha256. */
export type ArtifactFile = z.infer<typeof fileSchema>;
export type GraphEntry = z.infer<typeof graphSchema>;
/** Forward with and without residuals, the vjp, and the residuals' names, of one adapter kind. */
export type StepGraphs = z.infer<typeof stepGraphsSchema>;
/** Forward and self-contained vjp, of one adapter kind of the client's bottom or top. */
export type SpanGraphs = z.infer<typeof spanGraphsSchema>;
/** The graph of decoding, and how its lanes' memory is laid out. */
export type DecodeGraph = z.infer<typeof decodeGraphSchema>;
/** The graphs of decoding of a client's bottom or top. */
export type ClientDecodeGraphs = z.infer<typeof clientDecodeSchema>;
export type HeadVariants = z.infer<typeof headVariantsSchema>;
export type ClientSpanGraphs = z.infer<typeof clientSpanSchema>;
export type BlockWeight = z.infer<typeof blockWeightSchema>;
export type Cut = z.infer<typeof cutSchema>;
export type Dims = z.infer<typeof dimsSchema>;

type Context = z.core.$RefinementCtx;

function fail(context: Context, path: readonly (string | number)[], message: string): void {
  context.addIssue({ code: 'custom', path: [...path], message });
}

function checkCut(manifest: { readonly cut: Cut; readonly dims: Dims }, context: Context): void {
  const { bottom, top, numLayers } = manifest.cut;
  if (bottom + manifest.dims.numLayers + top !== numLayers) {
    fail(context, ['cut'], `bottom ${bottom} + backbone ${manifest.dims.numLayers} + top ${top} blocks are not the model's ${numLayers}`);
  }
  const { numHeads, numKvHeads, headDim } = manifest.dims;
  if (numHeads !== 0 && (numKvHeads === 0 || numHeads % numKvHeads !== 0))
    fail(context, ['dims', 'numKvHeads'], `${numKvHeads} does not divide numHeads ${numHeads}`);
  const known = [numHeads, numKvHeads, headDim].filter((dim) => dim !== 0).length;
  if (known !== 0 && known !== 3) fail(context, ['dims', 'numHeads'], 'expected numHeads, numKvHeads and headDim all known, or all 0');
}

/** A lane's row is one of keys and one of values, of all heads. */
function checkDecode(dims: Dims, decode: DecodeGraph | undefined, path: readonly string[], context: Context): void {
  if (decode === undefined) return;
  const wanted = dims.numKvHeads * dims.headDim;
  for (const name of ['keyShape', 'valueShape'] as const) {
    const elements = decode[name].reduce((product, dim) => product * dim, 1);
    if (wanted === 0 || elements !== wanted)
      fail(context, ['graphs', ...path, name], `expected ${wanted} elements, numKvHeads x headDim, got ${elements}`);
  }
  const { maxRows, longRows } = decode;
  if (maxRows > dims.maxPositions)
    fail(context, ['graphs', ...path, 'maxRows'], `expected at most dims.maxPositions ${dims.maxPositions}, got ${maxRows}`);
  if (longRows !== undefined && (longRows <= maxRows || longRows > dims.maxPositions))
    fail(
      context,
      ['graphs', ...path, 'longRows'],
      `expected more than maxRows ${maxRows}, and at most ${dims.maxPositions}, got ${longRows}`,
    );
}

/** Blocks of a client need weights, a span and trained graphs; no other part may have them. */
function checkBlocks({ cut, dims, blockWeights, graphs, tiedHead }: Omit<ClientBundleManifest, 'files'>, context: Context): void {
  for (const [span, first] of [
    ['bottom', 0],
    ['top', cut.numLayers - cut.top],
  ] as const) {
    const layers = new Set(blockWeights[span].map(({ layer }) => layer));
    const wanted = Array.from({ length: cut[span] }, (_, at) => first + at);
    if (layers.size !== wanted.length || wanted.some((layer) => !layers.has(layer)))
      fail(
        context,
        ['blockWeights', span],
        `expected weights of blocks ${wanted.join(', ') || 'none'}, got ${[...layers].join(', ') || 'none'}`,
      );
    if (graphs.keyValues !== undefined && (graphs.keyValues[span] !== undefined) !== cut[span] > 0)
      fail(context, ['graphs', 'keyValues', span], `expected a graph exactly where the client holds blocks; it holds ${cut[span]} here`);
    if (graphs.decode !== undefined && (graphs.decode[span] !== undefined) !== cut[span] > 0)
      fail(context, ['graphs', 'decode', span], `expected graphs exactly where the client holds blocks; it holds ${cut[span]} here`);
    for (const weights of ['frozen', 'trained'] as const)
      checkDecode(dims, graphs.decode?.[span]?.[weights], ['decode', span, weights], context);
    if ((graphs[span]?.trained !== undefined) !== cut[span] > 0)
      fail(
        context,
        ['graphs', span, 'trained'],
        `expected trained graphs exactly where the client holds blocks; it holds ${cut[span]} here`,
      );
  }
  for (const name of ['head', 'likelihood', 'loss'] as const) {
    const { tokens, loraTokens } = graphs[name];
    if ((tokens !== undefined) !== tiedHead || (loraTokens !== undefined) !== tiedHead)
      fail(context, ['graphs', name], `expected tokens and loraTokens exactly where the head is tied; tiedHead is ${tiedHead}`);
  }
}

/** Every file of a manifest is in its list, once. @param more files beside weights and graphs */
function checkFiles(
  { files, weightsFile, graphs }: { readonly files: readonly ArtifactFile[]; readonly weightsFile: string; readonly graphs: object },
  more: readonly string[],
  context: Context,
): void {
  const listed = new Set<string>();
  for (const { path } of files) {
    if (listed.has(path)) fail(context, ['files'], `${path} is listed twice`);
    listed.add(path);
  }
  for (const path of new Set([weightsFile, ...graphEntries(graphs).map(({ file }) => file), ...more])) {
    if (!listed.has(path)) fail(context, ['files'], `${path} is used by the manifest but has no digest in its file list`);
  }
}

/**
 * Parses a manifest's text against its schema.
 * @param label the file's name, for messages.
 * @throws CutlayerError INVALID_ARTIFACT naming the wrong field.
 */
export function parseManifest<T>(schema: z.ZodType<T>, text: string, label: string): T {
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (cause) {
    throw new CutlayerError('INVALID_ARTIFACT', `${label}: expected JSON, got text that does not parse; pack the checkpoint again`, {
      cause,
    });
  }
  const version = (json as { readonly formatVersion?: unknown } | null)?.formatVersion;
  if (typeof version === 'number' && version !== FORMAT_VERSION) {
    throw new CutlayerError(
      'INVALID_ARTIFACT',
      `${label} at formatVersion: expected ${FORMAT_VERSION}, got ${version}; pack the checkpoint again with this version of Cutlayer`,
    );
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
  const format = (json as { readonly format?: unknown } | null)?.format;
  const advice =
    issue?.path[0] === 'format' && typeof format === 'string'
      ? `, got ${JSON.stringify(format.slice(0, 64))}; of what pack writes, backbone/ is for gateways and client-bundle/ for clients`
      : '; copy or pack it again';
  throw new CutlayerError('INVALID_ARTIFACT', `${label}${where}: ${issue?.message ?? 'invalid'}${advice}`);
}
