/** The numbers of docs/security.md are those of the code, and the tests that it names are there. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_TOKENIZER_LIMITS } from '../../clients/typescript/data/bounded-tokenizer.js';
import { MAX_JSON_DEPTH } from '../../src/files/json-text.js';
import { packageRoot } from '../../src/files/package-root.js';
import { RUN_ROWS } from '../../src/gateway/engine/fair-queue.js';
import { MAX_TTL_SECONDS } from '../../src/server/auth/ttl.js';
import { defaultBounds } from '../../src/server/rpc/limits.js';

const { connections, transfer, open, streams, maxVerifying } = defaultBounds;
const KIB = 1024;

/** What the page says, written from the code's numbers. */
const sayings: readonly string[] = [
  `${DEFAULT_TOKENIZER_LIMITS.timeMs / 1000} s (and ${DEFAULT_TOKENIZER_LIMITS.timeMsPerThousand} ms for each 1,000 characters) or ${DEFAULT_TOKENIZER_LIMITS.heapMb / KIB} GiB of heap`,
  `${MAX_JSON_DEPTH} levels are read`,
  `a run costs ${RUN_ROWS} rows beside its own`,
  `health has ${open.maxMessageBytes / KIB} kB, ${open.maxDeadlineMs / 1000} s and ${open.maxInFlight} calls of its own`,
  `${open.maxWatchers} in all, 4 of one connection`,
  `${connections.maxHeaderPairs} headers, ${connections.maxHeaderBytes / KIB} KiB`,
  `the body moves at ${transfer.bytesPerSecond / KIB} KiB/s after ${transfer.graceMs / 1000} s`,
  `more than ${MAX_TTL_SECONDS / 86_400} days ahead`,
  `${maxVerifying} at once; more is`,
  `${streams.maxOpen} places of their own, a tenant ${streams.maxOpenPerTenant}; one ends after ${streams.idleMs / 1000} s without a message`,
  `${streams.maxWaiting} wait for their turn`,
  `within ${connections.handshakeMs / 1000} s`,
  `closed after ${connections.idleMs / 60_000} min without a call, at an age of about ${connections.ageMs / 3_600_000} h, or when a ping has no answer in ${connections.keepaliveTimeoutMs / 1000} s`,
  `${connections.resetBurst} at once, ${connections.resetRate} a second`,
  `${connections.refusedBurst} at once, ${connections.refusedRate} a second`,
  `(${2 * connections.resetBurst} on Node 22 and later)`,
  `within ${(connections.keepaliveMs + connections.keepaliveTimeoutMs) / 1000} s`,
  `${connections.maxInvalidFrames} invalid frames and ${connections.maxRejectedStreams} refused streams`,
  `${connections.maxStreams} streams at once`,
  `${connections.maxSessionMemoryMb} MB of Node's own memory`,
];

describe('docs/security.md', () => {
  const page = readFileSync(join(packageRoot(), 'docs', 'security.md'), 'utf8');

  for (const saying of sayings) it(`says "${saying}"`, () => assert.ok(page.includes(saying)));

  it('names tests that are there', () => {
    const named = [...page.matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => path!);
    assert.ok(named.length > 40);
    assert.deepEqual(
      named.filter((path) => !existsSync(join(packageRoot(), path))),
      [],
    );
  });

  it('names a test in every row', () => {
    const rows = page.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| ---') && !line.startsWith('| attack'));
    for (const row of rows) assert.match(row, /\| `test\/[^|]+\|$/, row);
  });
});
