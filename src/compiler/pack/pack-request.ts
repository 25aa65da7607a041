/** What every way of packing is asked for and what it gives back. */
import type { Cut } from '../../artifacts/manifest.js';

/** Where the artifacts go, and how the caller follows and stops the work. */
export interface OutputRequest {
  /** Must not exist or be empty, unless `force` and it holds packed artifacts. */
  readonly outDir: string;
  /** The model's name; by default that of the directory it comes from. */
  readonly name?: string | undefined;
  readonly force?: boolean | undefined;
  readonly onProgress?: ((progress: PackProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of weights written so far, of all. */
export interface PackProgress {
  readonly done: number;
  readonly total: number;
  /** The weight being written. */
  readonly weight: string;
}

/** What packing made. */
export interface PackResult {
  readonly backboneDir: string;
  readonly clientBundleDir: string;
  readonly backboneDigest: string;
  readonly cut: Cut;
  /** Scalars among the weights of each side; together the whole model. */
  readonly parameters: { readonly backbone: number; readonly client: number };
  /** Bytes of each side's weights file. */
  readonly weightBytes: { readonly backbone: number; readonly client: number };
  /** The bundle holds a tokenizer. */
  readonly hasTokenizer: boolean;
}
