/** How a command says that it failed. */
import { CommanderError } from 'commander';
import { CutlayerError, type ErrorCode } from '../errors.js';
import { Output, terminal } from '../files/output.js';

/** What to try, where the message of the error cannot know it. */
const hints: Readonly<Partial<Record<ErrorCode, string>>> = {
  UNAVAILABLE: 'is the server running, and is its address right? cutlayer gateway start --help, cutlayer coordinator serve --help',
  TOKEN_MISSING: 'pass --token-file; the vendor issues one with cutlayer gateway token, the coordinator with cutlayer coordinator token',
  TOKEN_EXPIRED: 'the vendor issues a new one with cutlayer gateway token, the coordinator with cutlayer coordinator token',
  TOKEN_INVALID:
    'tokens are void at every server but their own; a gateway takes those of cutlayer gateway token, a coordinator those of cutlayer coordinator token',
  SCOPE_MISSING:
    'the vendor issues one with cutlayer gateway token --scope "model:read train infer", the coordinator with cutlayer coordinator token --member or --admin',
  TENANT_SUSPENDED: 'the vendor lets a tenant in again with cutlayer gateway tenant resume',
  BACKBONE_MISMATCH: 'bundle and backbone must come from the same run of cutlayer pack',
  DIGEST_MISMATCH: 'copy the artifact again, or pack it again with cutlayer pack',
  INVALID_OPTION: 'run the command with --help for its flags and examples',
};

/** Prints an error. @returns 0 after help, 2 for usage, 130 for an interruption, else 1 */
export function reportFailure(caught: unknown, stream: NodeJS.WritableStream = terminal()): number {
  // Commander has printed its own message already.
  if (caught instanceof CommanderError) return caught.exitCode === 0 ? 0 : 2;
  const error = CutlayerError.from(caught);
  const out = new Output(() => stream);
  const hint = hints[error.code];
  out.paragraphs(`error ${error.code}: ${error.message}`, ...(hint === undefined ? [] : [`hint: ${hint}`]));
  if (error.code === 'INTERNAL' && error.cause instanceof Error) out.paragraphs(error.cause.stack ?? error.cause.message);
  if (error.code === 'CANCELLED') return 130;
  return error.code === 'INVALID_OPTION' ? 2 : 1;
}
