/** `cutlayer gateway audit verify | tail`: flags and help. Work is imported when it runs. */
import { gatewayOptions } from '../../../gateway/config.js';
import { command } from '../../../options/command-spec.js';
import { integerBetween, optional, parsed, toggle, withDefault } from '../../../options/option.js';

const MOST_LINES = 10_000;

const where = {
  stateDir: { ...gatewayOptions.stateDir, text: 'state directory whose audit log is meant, without a path', group: 'Options' },
};

const head = (given: unknown) => {
  const match = /^(\d{1,12}):([0-9a-f]{64})$/.exec(String(given));
  return match === null ? undefined : { sequence: Number(match[1]), hash: match[2]! };
};
const key = (given: unknown) => (typeof given === 'string' && /^[A-Za-z0-9_-]{43}$/.test(given) ? given : undefined);

export const verifyCommand = command({
  options: {
    ...where,
    head: optional(
      parsed('n:hash', 'a head that was noted earlier: the log must still hold it', 'expected a number, a colon and 64 hex digits', head),
    ),
    publicKey: optional(
      parsed(
        'key',
        'public key that must have signed its checkpoints (default: the one it names)',
        'expected 43 characters of base64url',
        key,
      ),
    ),
    json: toggle(false, 'print the result as JSON'),
  },
  help: `
Reads every entry: hashes, order, names of files, and signed checkpoints. The first fault is named by file, line and entry.
A chain does not show that its end was cut off. Note the head that this prints in another place, and pass it the next time.
A log is read as it stands: it may grow meanwhile.

Examples:
  $ cutlayer gateway audit verify
  $ cutlayer gateway audit verify ./archive --head 4711:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
  $ cutlayer gateway audit verify --state-dir ~/.cutlayer/coordinator`,
  run: async (flags, { words }) => (await import('./run-audit.js')).runAuditVerify(words[0], flags),
});

export const tailCommand = command({
  options: {
    ...where,
    lines: withDefault(integerBetween(1, MOST_LINES, 'n', 'entries to show'), 20),
    json: toggle(false, 'print entries as they stand in the log'),
  },
  help: `
Shows the last entries, without checking the chain.

Examples:
  $ cutlayer gateway audit tail --lines 50
  $ cutlayer gateway audit tail --json --lines 1000 | jq 'select(.tenant == "acme")'`,
  run: async (flags, { words }) => (await import('./run-audit.js')).runAuditTail(words[0], flags),
});
