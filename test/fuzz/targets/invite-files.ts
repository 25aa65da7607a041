/** The file that a founder makes for a member. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Invite, readInvite, writeInvite } from '../../../clients/typescript/cli/federate/invite-file.js';
import { editedJson } from '../json-edits.js';
import { scratchDirectory, scratchFile } from '../scratch-files.js';
import type { Target } from '../target.js';

const ca = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
const invite: Invite = {
  federation: 'ab'.repeat(32),
  name: 'ward notes',
  member: 'north',
  publicKey: 'cd'.repeat(32),
  backboneDigest: 'ef'.repeat(32),
  coordinator: { address: 'consortium.example:443', ca },
  token: 'a.b.c',
  expiresAt: 1_900_000_000_000,
  gateway: { address: 'vendor.example:443', ca },
  bundleUrl: 'https://vendor.example/bundle',
};
const document = { kind: 'cutlayer-invite', version: 1, ...invite };
const again = join(scratchDirectory(), 'again.invite');

export const target: Target = {
  examples: [Buffer.from(JSON.stringify(document))],
  made: editedJson([document]),
  words: ['"version":2', '"coordinator":{}', '"__proto__":', '"expiresAt":-1', '"insecure":true', '"tokenFrom":"x"'],
  async run(input) {
    const found = await readInvite(scratchFile('north.invite', input));
    rmSync(again, { force: true });
    await writeInvite(again, found);
    assert.deepEqual(await readInvite(again), found);
  },
};
