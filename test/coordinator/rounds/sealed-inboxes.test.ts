import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { SealedInboxes } from '../../../src/coordinator/rounds/sealed-inboxes.js';
import { openDatabase } from '../../../src/coordinator/tables/database.js';
import { sealedCodec } from '../../../src/protocol/federation/message-codec.js';
import { Table } from '../../support/secagg-table.js';
import { bytesOf } from '../../support/store-script.js';

describe('inboxes of sealed shares', () => {
  it('are what the sharers sealed for each member, whether they are kept or too large for it', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-inboxes-'));
    const database = await openDatabase(join(dir, 'store.db'));
    try {
      const federation = 'b'.repeat(64);
      const row = { id: federation, name: 'n', manifest: bytesOf(1, 9), signature: bytesOf(2, 64), status: 'running' as const, state: {} };
      await database.transaction((tx) => tx.federations.create({ ...row, at: 1 }));
      const table = new Table(20);
      table.share(table.names.filter((_, place) => place !== 3));
      for (const member of table.sharers) {
        const bytes = sealedCodec.encode(table.sealed.filter(({ from }) => from === member));
        await database.transaction((tx) => tx.messages.put({ federation, round: 1, stage: 'sharing', member, bytes, at: 1 }));
      }
      for (const most of [undefined, 1000])
        await database.transaction(async (tx) => {
          const inboxes = await SealedInboxes.load(tx, federation, 1, table.sharers, most);
          for (const member of table.sharers)
            assert.deepEqual(await inboxes.of(tx, table.cohort, member), table.inbox(member), `${member}, at most ${most}`);
        });
    } finally {
      await database.close();
      await rm(dir, { recursive: true, force: true });
    }
  });
});
