/** Tells, when a command starts to generate, why tokens take longer than they could. */
import { stderr } from '../../../src/files/output.js';
import { DecodeSession } from '../inference/decode-session.js';
import type { SplitModel } from '../model/split-model.js';

export function noteDecoding(model: SplitModel): void {
  const note = DecodeSession.note(model);
  if (note !== undefined) stderr.line(`note: ${note}`);
}
