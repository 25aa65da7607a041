/** The package's grammar engine: its WebAssembly loads in Node only as CommonJS. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as XGrammar from '@mlc-ai/web-xgrammar';

/** Most memory of the engine. */
const MAX_BYTES = 1024 * 1024 * 1024;

let engine: typeof XGrammar | undefined;

/** Loads it once, and bounds its memory. */
export function loadXgrammar(): typeof XGrammar {
  if (engine !== undefined) return engine;
  boundMemory();
  const path = fileURLToPath(import.meta.resolve('@mlc-ai/web-xgrammar'));
  // The package says that it is a module, and is none: it is compiled by hand.
  const loaded = { exports: {} };
  const compile = new Function('exports', 'require', 'module', '__filename', '__dirname', readFileSync(path, 'utf8'));
  compile(loaded.exports, createRequire(path), loaded, path, dirname(path));
  engine = loaded.exports as typeof XGrammar;
  return engine;
}

/** A memory of WebAssembly, which is missing in the types of Node. */
interface EngineMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: { readonly Memory: { readonly prototype: EngineMemory }; readonly RuntimeError: new () => Error };
};

/** Whether the engine ended in an abort. */
export const isAbort = (caught: unknown): boolean => caught instanceof WebAssembly.RuntimeError;

/** Memory of WebAssembly is no part of a thread's heap: it grows no further than this. */
function boundMemory(): void {
  const { prototype } = WebAssembly.Memory;
  const { grow } = prototype;
  prototype.grow = function bounded(this: EngineMemory, pages: number): number {
    if (this.buffer.byteLength + pages * 65_536 > MAX_BYTES) throw new RangeError('memory of the grammar engine');
    return grow.call(this, pages);
  };
}
