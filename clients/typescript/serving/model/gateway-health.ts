/** Whether the gateway answers, asked at most once a second. */
import { CutlayerError } from '../../../../src/errors.js';
import type { Connection } from '../../connection/connect.js';

/** What `/health` says of the gateway. */
export interface GatewayHealth {
  readonly reachable: boolean;
  /** Why not. */
  readonly code?: string;
  /** Tensor bytes since the start. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

const DEADLINE_MS = 2000;
const KEPT_MS = 1000;

/** Asks for the model card, which costs the gateway nothing. */
export function gatewayHealth(connection: Connection): () => Promise<GatewayHealth> {
  let asked: { readonly at: number; readonly answer: Promise<Pick<GatewayHealth, 'reachable' | 'code'>> } | undefined;
  return async () => {
    const now = performance.now();
    if (asked === undefined || now - asked.at > KEPT_MS) {
      const call = connection.call('GetModel', {}, { deadlineMs: DEADLINE_MS, retry: { retryForMs: 0 } });
      const answer = call.then(
        () => ({ reachable: true }),
        (caught: unknown) => ({ reachable: false, code: CutlayerError.from(caught).code }),
      );
      asked = { at: now, answer };
    }
    const { bytesUp, bytesDown } = connection.counters;
    return { ...(await asked.answer), bytesSent: bytesUp, bytesReceived: bytesDown };
  };
}
