/**
 * The manifests of the two artifacts that `cutlayer pack` writes (design section 4): the vendor's backbone and the client
 * bundle. A manifest names every file beside it with its size and sha256, the cut, the dims and the graphs; the ONNX graphs
 * hold no weights, their initializers point into `weightsFile`. Parsed once, at the edge, into the types below.
 */
import { z } from 'zod';
import { CutlayerError } from '../errors.js';

/** The three ways of adapting a span; each has its own pair of graphs. */
export const adapterKinds = ['none', 'softPrompt', 'prefix'] as const;

/** One of {@link adapterKinds}. */
export type AdapterKind = (typeof adapterKinds)[number];

const MAX_LAYERS = 4096;
const MAX_FILES = 256;

const count = z.int().min(0);
const size = z.int().min(1);
const tokenId = z.int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits');

/** A plain path below the artifact's directory: forward slashes, no empty, `.` or `..` part, no drive, no NUL. */
const relativePath = z
  .string()
  .min(1)
  .max(255)
  .refine(isPlainRelativePath, 'expected a plain path below the artifact directory: no "..", no leading "/", no backslash');

/** Whether a path is a plain one below its directory, so that joining it to that directory cannot leave it. */
export function isPlainRelativePath(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
  if (path.length === 0 || /[\\:\u0000-\u001f]/.test(path)) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

const fileSchema = z.strictObject({ path: relativePath, bytes: count, sha256 });

const graphSchema = z.strictObject({
  file: relativePath,
  /** Names of the graph's inputs: exactly these are fed. */
  inputs: z.array(z.string().min(1)).max(MAX_LAYERS * 16),
  outputs: z
    .array(z.string().min(1))
    .min(1)
    .max(MAX_LAYERS * 16),
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
  /** Blocks of the backbone alone. */
  numLayers: size.max(MAX_LAYERS),
  numHeads: size,
  numKvHeads: size,
  headDim: size,
  /** Longest sequence, virtual tokens included. */
  maxPositions: size,
});

const stepGraphsSchema = z.strictObject({
  forward: graphSchema,
  vjp: graphSchema,
  /** Outputs of `forward` that `vjp` takes back under the same names. */
  residuals: z.array(z.string().min(1)),
});

const spanGraphsSchema = z.strictObject({ forward: graphSchema, vjp: graphSchema });

const bySpanKind = z.strictObject({ none: spanGraphsSchema, softPrompt: spanGraphsSchema, prefix: spanGraphsSchema });

const shared = {
  formatVersion: z.literal(1),
  name: z.string().min(1).max(200),
  family: z.string().min(1).max(64),
  /** Element type of weights, graph inputs and outputs. */
  dtype: z.literal('float32'),
  /** Rows are flat: the soft prompt's rows first, then token s of sequence b at P + b * S + s; its position id is P + s. */
  positions: z.literal('promptRowsFirst'),
  cut: cutSchema,
  dims: dimsSchema,
  /** Number of scalars among this side's weights. */
  parameters: count,
  weightsFile: relativePath,
  files: z.array(fileSchema).min(1).max(MAX_FILES),
};

/** `backbone/manifest.json`. */
export const backboneManifestSchema = z
  .strictObject({
    format: z.literal('cutlayer-backbone'),
    ...shared,
    graphs: z.strictObject({ none: stepGraphsSchema, softPrompt: stepGraphsSchema, prefix: stepGraphsSchema }),
  })
  .superRefine((manifest, context) => {
    checkCut(manifest, context);
    const graphs = Object.values(manifest.graphs).flatMap(({ forward, vjp }) => [forward, vjp]);
    checkFiles(manifest, [manifest.weightsFile, ...graphs.map((graph) => graph.file)], context);
    for (const [kind, { forward, vjp, residuals }] of Object.entries(manifest.graphs)) {
      for (const residual of residuals) {
        if (!forward.outputs.includes(residual)) fail(context, ['graphs', kind, 'residuals'], `${residual} is not an output of forward`);
        if (!vjp.inputs.includes(residual)) fail(context, ['graphs', kind, 'residuals'], `${residual} is not an input of vjp`);
      }
    }
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
    /** Factor that `embed` has already applied to the table's rows (1 for most families); soft prompts live after it. */
    embedScale: z.number().positive(),
    tokenizerFiles: z.array(relativePath),
    graphs: z.strictObject({
      embed: graphSchema,
      head: graphSchema,
      loss: graphSchema,
      /** Absent: the bottom is the identity. */
      bottom: bySpanKind.optional(),
      /** Absent: the top has no blocks. */
      top: bySpanKind.optional(),
    }),
  })
  .superRefine((manifest, context) => {
    checkCut(manifest, context);
    const { embed, head, loss, bottom, top } = manifest.graphs;
    const spans = [bottom, top].flatMap((span) => (span === undefined ? [] : Object.values(span)));
    const graphs = [embed, head, loss, ...spans.flatMap(({ forward, vjp }) => [forward, vjp])];
    checkFiles(manifest, [manifest.weightsFile, ...graphs.map((graph) => graph.file), ...manifest.tokenizerFiles], context);
  });

/** Parsed `backbone/manifest.json`. */
export type BackboneManifest = z.infer<typeof backboneManifestSchema>;
/** Parsed `client-bundle/manifest.json`. */
export type ClientBundleManifest = z.infer<typeof clientBundleManifestSchema>;
/** A file of an artifact: path below its directory, size and sha256. */
export type ArtifactFile = z.infer<typeof fileSchema>;
/** One ONNX graph of an artifact and the names of its inputs and outputs. */
export type GraphEntry = z.infer<typeof graphSchema>;
/** Forward, vjp and the residuals between them, of one adapter kind of the backbone. */
export type StepGraphs = z.infer<typeof stepGraphsSchema>;
/** Forward and self-contained vjp, of one adapter kind of the client's bottom or top. */
export type SpanGraphs = z.infer<typeof spanGraphsSchema>;
/** Where the model is cut: blocks below, blocks above, blocks in all. */
export type Cut = z.infer<typeof cutSchema>;
/** The backbone's dims. */
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
  if (manifest.dims.numHeads % manifest.dims.numKvHeads !== 0) {
    fail(context, ['dims', 'numKvHeads'], `${manifest.dims.numKvHeads} does not divide numHeads ${manifest.dims.numHeads}`);
  }
}

function checkFiles(manifest: { readonly files: readonly ArtifactFile[] }, needed: readonly string[], context: Context): void {
  const listed = new Set<string>();
  for (const { path } of manifest.files) {
    if (listed.has(path)) fail(context, ['files'], `${path} is listed twice`);
    listed.add(path);
  }
  for (const path of new Set(needed)) {
    if (!listed.has(path)) fail(context, ['files'], `${path} is used by the manifest but has no digest in its file list`);
  }
}

/**
 * Parses a manifest's text against its schema.
 * @param label the file's name, for messages.
 * @throws CutlayerError INVALID_ARTIFACT naming the field that is wrong.
 */
export function parseManifest<T>(schema: z.ZodType<T>, text: string, label: string): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CutlayerError('INVALID_ARTIFACT', `${label}: expected JSON, got text that does not parse; pack the checkpoint again`, {
      cause,
    });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
  throw new CutlayerError('INVALID_ARTIFACT', `${label}${where}: ${issue?.message ?? 'invalid'}`);
}
