/** For `assert.throws` and `assert.rejects`. */
import { CutlayerError, type ErrorCode } from '../../src/errors.js';

/** Whether an error has a code, and a message of a form. */
export const hasCode =
  (code: ErrorCode, message = /./) =>
  (error: unknown): boolean =>
    error instanceof CutlayerError && error.code === code && message.test(error.message);
