/** Opens a saved adapter as an object that can be trained on or generated with. */
import type { AdapterDims } from './adapter.js';
import { loadPeft } from './peft.js';
import { Prefix } from './prefix.js';
import { SoftPrompt } from './soft-prompt.js';
import type { SpanAdapter as Adapter } from './span-adapter.js';

/** Reads PEFT's files. @throws CutlayerError NOT_FOUND, INVALID_ADAPTER */
export async function loadAdapter(dir: string, dims: AdapterDims): Promise<Adapter> {
  const { kind, parameter } = await loadPeft(dir, dims);
  return kind === 'softPrompt' ? new SoftPrompt(dims, parameter) : new Prefix(dims, parameter);
}
