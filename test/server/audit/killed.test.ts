/** kill -9 of an audited gateway at writes of its log: what it has answered is in it. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import { CutlayerError } from '../../../src/errors.js';
import { loadSplitService } from '../../../src/protocol/wire/split-service.js';
import { filesAt } from '../../../src/server/audit/audit-files.js';
import { verifyAudit } from '../../../src/server/audit/verify-audit.js';
import { openIdentity } from '../../../src/server/auth/identity.js';
import { issueToken } from '../../../src/server/auth/issuer.js';
import { KeyRing } from '../../../src/server/auth/key-ring.js';
import type { Moment } from '../../support/audited-gateway-process.js';
import { depth } from '../../support/exhaustive.js';
import { bearer, splitCalls } from '../../support/test-gateway.js';
import { tinyBackbone } from '../../support/tiny-backbone.js';

const program = fileURLToPath(new URL('../../support/audited-gateway-process.js', import.meta.url));
/** Calls that are under way at a time. */
const ABREAST = 16;
const moments: readonly Moment[] = ['before', 'middle', 'written', 'flushed'];
/** The writes of the start come before those of calls. */
const writes = [3, 4, 8];

describe('an audited gateway that is killed', () => {
  it('has an entry of every call that it has answered, in a chain that verifies and goes on', async function () {
    this.timeout(240_000);
    const { dir } = await tinyBackbone({ hiddenSize: 8, numLayers: 2 });
    const stateDir = await mkdtemp(join(tmpdir(), 'cutlayer-audited-'));
    const audit = join(stateDir, 'audit');
    const answered = new Set<string>();
    let number = 0;
    /** A gateway's life, with calls without a pause until its end. */
    const live = async (write: number, moment: Moment): Promise<void> => {
      const child = fork(program, [dir, stateDir, String(write), moment]);
      const gone = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
      const [address] = (await once(child, 'message')) as [string];
      const request = { tenant: 'acme', scopes: ['train'], ttlSeconds: 3600 } as const;
      const token = await issueToken(await KeyRing.open(stateDir), await openIdentity(stateDir), request, Date.now());
      const client = new (loadSplitService())(address, credentials.createInsecure());
      const calls = splitCalls(client);
      const caller = async (): Promise<void> => {
        for (;;) {
          const id = `call-${number++}`;
          const metadata = bearer(token);
          metadata.set('x-request-id', id);
          try {
            await calls.getModel(metadata);
          } catch (caught) {
            assert.equal(CutlayerError.from(caught).code, 'UNAVAILABLE');
            return;
          }
          answered.add(id);
        }
      };
      await Promise.all(Array.from({ length: ABREAST }, caller));
      client.close();
      assert.equal((await gone)[1], 'SIGKILL');
    };
    try {
      const lives = depth(
        moments.flatMap((moment) => writes.map((write) => [write, moment] as const)),
        [[8, 'middle'] as const],
      );
      for (const [write, moment] of lives) {
        await live(write, moment);
        await verifyAudit(audit);
        const recorded = await requestsOf(audit);
        for (const id of answered)
          assert.ok(recorded.has(id), `${id} was answered, and has no entry; it died at write ${write}, ${moment}`);
      }
      assert.ok(answered.size > 0);
    } finally {
      for (const made of [dir, stateDir]) await rm(made, { recursive: true, force: true });
    }
  });
});

/** Ids of the calls whose whole entries say that they were answered. */
async function requestsOf(audit: string): Promise<Set<string>> {
  const found = new Set<string>();
  for (const file of await filesAt(audit)) {
    const lines = createInterface({ input: createReadStream(file, 'utf8') });
    lines.on('line', (line) => {
      if (!line.endsWith('}')) return; // the process died in it
      const { event, decision, request } = JSON.parse(line);
      if (event === 'call' && decision === 'answered') found.add(request);
    });
    await once(lines, 'close');
  }
  return found;
}
