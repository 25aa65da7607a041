/** The package's grammar engine: its WebAssembly loads in Node only as CommonJS. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as XGrammar from '@mlc-ai/web-xgrammar';
import { MAX_ENGINE_BYTES } from '../engine-memory.js';

/** What the texts that go through a compiled grammar may take. */
const TEXTS_BYTES = 32 * 2 ** 20;
/** Its memory before it has grown. */
const FIRST_BYTES = 16 * 2 ** 20;

/** Memory of the engine, and the most that it may have. */
let bytes = FIRST_BYTES;
let most = MAX_ENGINE_BYTES;

let engine: typeof XGrammar | undefined;

/** The grammar is compiled: the engine grows no more than texts need. @returns its most bytes */
export function settleMemory(): number {
  most = Math.min(MAX_ENGINE_BYTES, bytes + TEXTS_BYTES);
  return most;
}

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
    if (this.buffer.byteLength + pages * 65_536 > most) throw new RangeError('memory of the grammar engine');
    const before = grow.call(this, pages);
    bytes = Math.max(bytes, this.buffer.byteLength);
    return before;
  };
}
