/** Tells the operator's log why tokens are refused; callers hear expired, invalid or scope only. */
import { CutlayerError } from '../../errors.js';
import type { Logger } from '../observability/log.js';
import type { Verifier } from './verifier.js';

/** One line in this time at most: anyone can send tokens. */
const LINE_EVERY_MS = 1000;

/** A verifier that logs its refusals. Tokens are never logged. @param now milliseconds */
export function loggedVerifier(verify: Verifier, log: Pick<Logger, 'warn'>, now: () => number = () => performance.now()): Verifier {
  let last = Number.NEGATIVE_INFINITY;
  let unsaid = 0;
  return async (token) => {
    try {
      return await verify(token);
    } catch (caught) {
      if (now() - last < LINE_EVERY_MS) unsaid += 1;
      else {
        const { code, cause } = CutlayerError.from(caught);
        const reason = cause instanceof Error ? cause.message : 'not of the form of a token of this server';
        log.warn({ code, reason, unsaid }, 'a token was refused');
        [last, unsaid] = [now(), 0];
      }
      throw caught;
    }
  };
}
