/** The common request and result of every way of packing. */
import type { Cut } from '../../artifacts/manifest.js';

/** Where the artifacts go, and how the caller follows and stops the work. */
export interface OutputRequest {
  /** Must not exist or be empty, unless `force` and it holds packed artifacts. */
  readonly outDir: string;
  /** The model's name; by default the source directory's. */
  readonly name?: string | undefined;
  readonly force?: boolean | undefined;
  readonly onProgress?: ((progress: PackProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of weights written so far, of all. */
export interface PackProgress {
  readonly done: number;
  readonly total: number;
  readonly weight: string;
}

export interface PackResult {
  readonly backboneDir: string;
  readonly clientBundleDir: string;
  readonly backboneDigest: string;
  readonly cut: Cut;
  /** Scalars among the weights of each side; together the whole model. */
  readonly parameters: { readonly backbone: number; readonly client: number };
  /** Bytes of each side's weights file. */
  readonly weightBytes: { readonly backbone: number; readonly client: number };
  readonly hasTokenizer: boolean;
}
