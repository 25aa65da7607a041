/**
 * What a fuzz target is, and the property of all of them: an input is read, or refused with a typed error. Where it is read, what is
 * written again must read back the same. An unforeseen error, as one with the code INTERNAL, is a finding.
 */
import { AssertionError } from 'node:assert';
import type fc from 'fast-check';
import { CutlayerError } from '../../src/errors.js';

/** A parser of input from outside. */
export interface Target {
  /** Valid inputs beside the files of the corpus. */
  readonly examples?: readonly Uint8Array[];
  /** Inputs made by structure. */
  readonly made?: fc.Arbitrary<Uint8Array>;
  /** Words of the grammar, which mutations insert. */
  readonly words?: readonly string[];
  /**
   * Reads the input, writes the result and reads it again.
   * @throws CutlayerError when the input is refused; AssertionError when the second reading differs
   */
  readonly run: (input: Uint8Array) => unknown;
}

/** How an input violates the property. `slow`, `memory` and `crash` are found by the process that runs it. */
export interface Finding {
  readonly kind: 'error' | 'difference' | 'slow' | 'memory' | 'crash';
  /** The error's stack, or what was measured. */
  readonly text: string;
}

/** Runs one input. @returns whether it was read, or the finding */
export async function judge(target: Target, input: Uint8Array): Promise<boolean | Finding> {
  try {
    await target.run(input);
    return true;
  } catch (caught) {
    if (caught instanceof CutlayerError && caught.code !== 'INTERNAL') return false;
    const text = caught instanceof Error ? (caught.stack ?? caught.message) : String(caught);
    return { kind: caught instanceof AssertionError ? 'difference' : 'error', text };
  }
}

/** What tells one fault from another: the kind, the error's class and the place that threw it. */
export function signature({ kind, text }: Finding): string {
  const place = /^\s+at .*?((?:dist|node_modules)\/[^)]*)\)?$/m.exec(text)?.[1] ?? '';
  return `${kind} ${/^\w+/.exec(text)?.[0] ?? ''} ${place}`;
}
