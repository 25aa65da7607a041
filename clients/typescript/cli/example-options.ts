/** How a command's options, the model and the adapter decide on the reading of examples. */
import { stderr } from '../../../src/files/output.js';
import type { Adapter } from '../adapters/adapter.js';
import type { ExampleOptions, OverlongPolicy } from '../data/examples.js';
import { type Defences, noDefences } from '../defences/defences.js';

export interface ExampleFlags extends Pick<ExampleOptions, 'objective' | 'format'> {
  readonly overlong: OverlongPolicy;
  readonly maxLength?: number | undefined;
  readonly eos: boolean;
}

/**
 * Options for `loadExamples`.
 * @param room Tokens that the model has positions for, without the adapter's virtual tokens
 * @param maxTokensPerBatch Rows that the gateway takes. Documents become windows, so that this
 * limit makes the windows shorter.
 */
export function exampleOptions(
  { maxLength, overlong, eos, objective, format }: ExampleFlags,
  adapter: Pick<Adapter, 'labels' | 'tasks' | 'spanKind'> | undefined,
  { room, maxTokensPerBatch }: { readonly room: number; readonly maxTokensPerBatch: number },
  signal: AbortSignal,
  defences: Defences = noDefences,
): ExampleOptions {
  return {
    maxLength: Math.min(maxLength ?? room, room, objective === 'text' ? maxTokensPerBatch : room),
    overlong,
    appendEos: eos,
    objective,
    format,
    redaction: defences.redacts ? defences.redaction : undefined,
    labels: adapter?.labels,
    tasks: adapter?.tasks,
    predictsFirst: adapter?.spanKind === 'softPrompt',
    onNotice: (notice) => stderr.line(`note: ${notice}`),
    signal,
  };
}
