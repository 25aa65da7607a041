/**
 * Writes the two artifacts of a packed model: for each side weights, graphs and a manifest. The
 * client's also has the tokenizer's files and a README. The output appears whole or not at all.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { sha256Hex } from '../../artifacts/digest.js';
import {
  type BackboneManifest,
  backboneManifestSchema,
  type ClientBundleManifest,
  type Cut,
  clientBundleManifestSchema,
  type Dims,
  type EmbeddingNorms,
  FORMAT_VERSION,
  type WireRange,
} from '../../artifacts/manifest.js';
import { SIGNATURE_FILE, type SigningJwk, signManifest } from '../../artifacts/signature.js';
import { MANIFEST_FILE } from '../../artifacts/store.js';
import { CutlayerError } from '../../errors.js';
import { writeDirectoryAtomic } from '../../files/atomic-file.js';
import type { ModelDescription } from '../models/registry.js';
import { bundleReadme } from './bundle-readme.js';
import { copyTokenizerFiles } from './checkpoint-files.js';
import { embeddingNorms } from './embedding-norms.js';
import type { GenerationConfig } from './generation-config.js';
import { GraphFiles } from './graph-files.js';
import { measureWire } from './measure-wire.js';
import { modelName } from './model-name.js';
import type { GraphOpener } from './onnx-trial.js';
import { layOutWeights, type StreamedWeight, writeWeights } from './weights-file.js';

const BACKBONE_DIR = 'backbone';
const CLIENT_BUNDLE_DIR = 'client-bundle';
const WEIGHTS_FILE = 'weights.safetensors';

/** Where the artifacts go, and how the caller follows and stops the work. */
export interface OutputRequest {
  /** Must not exist or be empty, unless `force` and it holds packed artifacts. */
  readonly outDir: string;
  /** The model's name; by default the config's, else the source directory's. */
  readonly name?: string | undefined;
  readonly force?: boolean | undefined;
  /** Signs both manifests; absent, they are not signed. */
  readonly signer?: SigningJwk | undefined;
  readonly onProgress?: ((progress: PackProgress) => void) | undefined;
  /** Tries the written bundle: gives what the vendor should know; an error refuses the model. */
  readonly tryClient?: ((dir: string, manifest: ClientBundleManifest) => Promise<readonly string[]>) | undefined;
  /** Opens the packed graphs, to measure what crosses; absent, it is not measured. */
  readonly openGraphs?: GraphOpener | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of weights written so far, of all. */
export interface PackProgress {
  readonly done: number;
  readonly total: number;
  readonly weight: string;
}

export interface PackResult {
  readonly name: string;
  readonly backboneDir: string;
  readonly clientBundleDir: string;
  readonly backboneDigest: string;
  /** The public key that signed both manifests; undefined when they are not signed. */
  readonly signer: string | undefined;
  readonly cut: Cut;
  /** Scalars among the weights of each side; together the whole model. */
  readonly parameters: { readonly backbone: number; readonly client: number };
  /** Bytes of each side's weights file. */
  readonly weightBytes: { readonly backbone: number; readonly client: number };
  readonly hasTokenizer: boolean;
  /** Undefined: not measured. */
  readonly wire: WireRange | undefined;
  /** Undefined where the client holds blocks below the cut. */
  readonly embeddingNorms: EmbeddingNorms | undefined;
  /** What the vendor should know about the checkpoint: a sentence each. */
  readonly notes: readonly string[];
}

export interface ArtifactPlan<Graphs> {
  readonly weights: readonly StreamedWeight[];
  /** Scalars among the weights. */
  readonly parameters: number;
  /** Compiles and writes the graphs, and gives their entries. */
  readonly writeGraphs: (files: GraphFiles) => Graphs;
}

export interface BundlePlan {
  readonly model: ModelDescription;
  /** The directory that the tokenizer and the generation config come from. */
  readonly sourceDir: string;
  readonly generation: GenerationConfig;
  readonly family: string;
  readonly cut: Cut;
  readonly dims: Dims;
  readonly backbone: ArtifactPlan<BackboneManifest['graphs']>;
  readonly client: ArtifactPlan<ClientBundleManifest['graphs']>;
  readonly blockWeights: ClientBundleManifest['blockWeights'];
  /** Runs the written backbone; an error refuses the model. */
  readonly tryBackbone?: (dir: string, manifest: BackboneManifest) => Promise<void>;
}

/** The backbone's directory, manifest, and the manifest's sha256. */
interface WrittenBackbone {
  readonly dir: string;
  readonly manifest: BackboneManifest;
  readonly digest: string;
}

export class BundleWriter {
  private done = 0;
  /** What the vendor should know of the measuring. */
  private readonly notes: string[] = [];
  private readonly total: number;

  constructor(
    private readonly plan: BundlePlan,
    private readonly request: OutputRequest,
  ) {
    const layouts = [plan.backbone, plan.client].map(({ weights }) => layOutWeights(weights));
    this.total = layouts.reduce((sum, { bytes, head }) => sum + bytes - head.length, 0);
  }

  /**
   * @throws CutlayerError ALREADY_EXISTS, IO_ERROR; what the plan's functions throw; AbortError
   *   when the signal fires
   */
  async write(): Promise<PackResult> {
    const outDir = resolve(this.request.outDir);
    await requireReplaceable(outDir, this.request.force === true);
    return writeDirectoryAtomic(
      outDir,
      async (dir) => {
        const backbone = await this.backbone(join(dir, BACKBONE_DIR));
        await this.plan.tryBackbone?.(join(dir, BACKBONE_DIR), backbone.manifest);
        const client = await this.client(join(dir, CLIENT_BUNDLE_DIR), { dir: join(dir, BACKBONE_DIR), ...backbone });
        const tried = (await this.request.tryClient?.(join(dir, CLIENT_BUNDLE_DIR), client)) ?? [];
        return {
          name: client.name,
          backboneDir: join(outDir, BACKBONE_DIR),
          clientBundleDir: join(outDir, CLIENT_BUNDLE_DIR),
          backboneDigest: backbone.digest,
          signer: this.request.signer?.x,
          cut: client.cut,
          parameters: { backbone: backbone.manifest.parameters, client: client.parameters },
          weightBytes: { backbone: weightBytes(backbone.manifest), client: weightBytes(client) },
          hasTokenizer: client.tokenizerFiles.includes('tokenizer.json'),
          wire: client.wire,
          embeddingNorms: backbone.manifest.embeddingNorms,
          notes: [...this.plan.model.notes, ...this.plan.generation.notes, ...this.notes, ...tried],
        };
      },
      // The vendor's service and its clients may be other users.
      { mode: 0o777 },
    );
  }

  private async backbone(dir: string): Promise<Omit<WrittenBackbone, 'dir'>> {
    const { graphs, files } = await this.artifact(dir, this.plan.backbone);
    const shared = this.shared(this.plan.backbone.parameters);
    const norms = await this.norms();
    const measured = norms === undefined ? {} : { embeddingNorms: norms };
    const manifest = backboneManifestSchema.parse({ format: 'cutlayer-backbone', ...shared, ...measured, graphs, files: files.written });
    return { manifest, digest: await this.writeManifest(dir, manifest) };
  }

  private async client(dir: string, written: WrittenBackbone): Promise<ClientBundleManifest> {
    const { model, sourceDir, generation, client, backbone, blockWeights } = this.plan;
    const { graphs, files } = await this.artifact(dir, client);
    const tokenizer = await copyTokenizerFiles(sourceDir, dir, this.request.signal);
    const content = {
      format: 'cutlayer-client-bundle' as const,
      ...this.shared(client.parameters),
      backboneDigest: written.digest,
      ...endFields(model, generation),
      blockWeights,
      tokenizerFiles: tokenizer.map(({ path }) => path),
      graphs,
    };
    const listed = [...files.written, ...tokenizer];
    const wire = await this.measured(written, { dir, manifest: content });
    const card = { ...content, ...(wire !== undefined && { wire }) };
    const readme = files.writeBytes('README.md', Buffer.from(bundleReadme(card, backbone.parameters)));
    const manifest = clientBundleManifestSchema.parse({ ...card, files: [...listed, readme] });
    await this.writeManifest(dir, manifest);
    return manifest;
  }

  /** Blocks of the client turn embedded rows into others. */
  private async norms(): Promise<EmbeddingNorms | undefined> {
    const { model, client, cut } = this.plan;
    const { name } = model.weights.model('embedTokens');
    const table = client.weights.find((weight) => weight.name === name);
    return cut.bottom > 0 || table === undefined ? undefined : embeddingNorms(table, model.spec.embedScale, this.request.signal);
  }

  /** A model whose values cannot be measured is packed all the same. */
  private async measured(backbone: WrittenBackbone, client: Parameters<typeof measureWire>[1]): Promise<WireRange | undefined> {
    const { openGraphs, signal } = this.request;
    if (openGraphs === undefined) return undefined;
    let reason = 'the values are not finite';
    try {
      const range = await measureWire(backbone, client, openGraphs, signal);
      if (range !== undefined) return range;
    } catch (caught) {
      signal?.throwIfAborted();
      reason = CutlayerError.from(caught).message;
    }
    this.notes.push(`what crosses was not measured, so the bundle does not say whether f16 holds it: ${reason}`);
    return undefined;
  }

  private async artifact<Graphs>(dir: string, { weights, writeGraphs }: ArtifactPlan<Graphs>) {
    await mkdir(dir);
    const layout = layOutWeights(weights);
    const { signal } = this.request;
    const digest = await writeWeights(join(dir, WEIGHTS_FILE), layout, weights, { signal, onBytes: this.progress });
    const files = new GraphFiles(dir, layout, { path: WEIGHTS_FILE, ...digest });
    return { graphs: writeGraphs(files), files };
  }

  /** @returns the manifest's sha256 */
  private async writeManifest(dir: string, manifest: BackboneManifest | ClientBundleManifest): Promise<string> {
    const bytes = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
    await writeFile(join(dir, MANIFEST_FILE), bytes);
    const { signer } = this.request;
    if (signer !== undefined) await writeFile(join(dir, SIGNATURE_FILE), await signManifest(bytes, signer));
    return sha256Hex(bytes);
  }

  private readonly progress = (bytes: number, weight: string): void => {
    this.done += bytes;
    this.request.onProgress?.({ done: this.done, total: this.total, weight });
  };

  private shared(parameters: number) {
    const { model, sourceDir, family, cut, dims, backbone, client } = this.plan;
    const all = backbone.parameters + client.parameters;
    return {
      formatVersion: FORMAT_VERSION,
      name: (this.request.name ?? '').slice(0, 200) || modelName(model.config, sourceDir, family, all),
      family,
      dtype: 'float32' as const,
      positions: 'promptRowsFirst' as const,
      cut,
      dims,
      parameters,
      weightsFile: WEIGHTS_FILE,
    };
  }
}

/** An existing directory is replaced if empty, or with `force` if all it holds was packed. */
async function requireReplaceable(target: string, force: boolean): Promise<void> {
  const names = await readdir(target).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw new CutlayerError('ALREADY_EXISTS', `${target}: exists and is no directory`, { cause });
  });
  if (names.length > 0 && !(force && names.every((name) => name === BACKBONE_DIR || name === CLIENT_BUNDLE_DIR)))
    throw new CutlayerError(
      'ALREADY_EXISTS',
      `${target}: exists and is not empty; choose another directory, or --force to replace packed artifacts`,
    );
}

function weightBytes({ files }: BackboneManifest | ClientBundleManifest): number {
  return files.find(({ path }) => path === WEIGHTS_FILE)!.bytes;
}

/** The client manifest's fields of the ends. */
function endFields({ spec, specialTokens, family }: ModelDescription, generation: GenerationConfig) {
  const { eosTokenIds, bosTokenId, padTokenId } = specialTokens;
  const { vocabSize, embedScale, promptScale, linearLayout, tiedHead } = spec;
  // A tied head has no tensor of its own in the checkpoint, but it has a module name.
  const moduleOf = (role: 'embedTokens' | 'head'): string => (family.names.model[role] ?? 'lm_head.weight').replace(/\.weight$/, '');
  return {
    vocabSize,
    eosTokenIds: [...new Set([...eosTokenIds, ...generation.eosTokenIds])],
    bosTokenId,
    padTokenId,
    ...(Object.keys(generation.defaults).length > 0 && { generation: generation.defaults }),
    embedScale,
    promptScale,
    linearLayout,
    tiedHead,
    modules: { embedTokens: moduleOf('embedTokens'), head: moduleOf('head') },
  };
}
