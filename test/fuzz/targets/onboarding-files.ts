/** The file that a vendor makes for a customer. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Onboarding, readOnboarding, writeOnboarding } from '../../../clients/typescript/cli/login/onboarding-file.js';
import { editedJson } from '../json-edits.js';
import { scratchDirectory, scratchFile } from '../scratch-files.js';
import type { Target } from '../target.js';

const onboarding: Onboarding = {
  tenant: 'acme',
  gateway: 'vendor.example:443',
  ca: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
  token: 'a.b.c',
  bundle: { url: 'https://vendor.example/bundle', path: '/bundle', manifestSha256: 'ab'.repeat(32) },
};
const document = { kind: 'cutlayer-onboarding', version: 1, ...onboarding };
const again = join(scratchDirectory(), 'again.cutlayer');

export const target: Target = {
  examples: [Buffer.from(JSON.stringify(document))],
  made: editedJson([document]),
  words: ['"version":2', '"bundle":{}', '"__proto__":', '"token":""'],
  async run(input) {
    const found = await readOnboarding(scratchFile('onboarding.cutlayer', input));
    rmSync(again, { force: true });
    await writeOnboarding(again, found);
    assert.deepEqual(await readOnboarding(again), found);
  },
};
