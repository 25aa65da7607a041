/** What a call says to its caller, without the id that was asked for: answers can be compared. */
import { CutlayerError } from '../../src/errors.js';

/** A call's whole outcome as text. */
export async function outcomeOf(work: Promise<unknown>, id: string): Promise<string> {
  const said = await work.then(
    (answer) => ({ answer }),
    (caught: unknown) => {
      const { code, message, details, retryAfterMs } = CutlayerError.from(caught);
      // The id of the call itself differs from call to call.
      const { requestId: _, ...others } = details;
      return { code, message, details: others, retryAfterMs };
    },
  );
  return JSON.stringify(said, (_, value) => (typeof value === 'string' ? value.replaceAll(id, '<id>') : value));
}
