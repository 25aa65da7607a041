/** Tells the operator's log why tokens are refused; callers hear expired, invalid or scope only. */
import { CutlayerError } from '../../errors.js';
import type { Logger } from '../observability/log.js';
import { RareLine } from '../observability/rare-line.js';
import type { Verifier } from './verifier.js';

/** One line in this time at most: anyone can send tokens. */
const LINE_EVERY_MS = 1000;

/** A verifier that logs its refusals. Tokens are never logged. @param now milliseconds */
export function loggedVerifier(verify: Verifier, log: Pick<Logger, 'warn'>, now: () => number = () => performance.now()): Verifier {
  const line = new RareLine(LINE_EVERY_MS, now);
  return async (token, sender) => {
    try {
      return await verify(token, sender);
    } catch (caught) {
      const unsaid = line.due();
      if (unsaid !== undefined) {
        const { code, cause } = CutlayerError.from(caught);
        const reason = cause instanceof Error ? cause.message : 'not of the form of a token of this server';
        log.warn({ code, reason, unsaid }, 'a token was refused');
      }
      throw caught;
    }
  };
}
