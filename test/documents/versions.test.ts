/** docs/versions.md states the versions that the code has. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { INVITE_VERSION } from '../../clients/typescript/cli/federate/invite-file.js';
import { ONBOARDING_VERSION } from '../../clients/typescript/cli/login/onboarding-file.js';
import { PROFILE_FORMAT } from '../../clients/typescript/cli/profile/profile-store.js';
import { FORMAT_VERSION as memberVersion } from '../../clients/typescript/federation/member-schema.js';
import { FORMAT_VERSION as artifactVersion } from '../../src/artifacts/manifest.js';
import { packageRoot } from '../../src/files/package-root.js';

const root = packageRoot();
const text = readFileSync(join(root, 'docs/versions.md'), 'utf8');
/** The version literal in the schema of a source file. */
const literalIn = (file: string): number =>
  Number(/formatVersion: z\.literal\((\d+)\)/.exec(readFileSync(join(root, file), 'utf8'))?.[1] ?? Number.NaN);

describe('docs/versions.md', () => {
  const versions = {
    'backbone and client bundle': artifactVersion,
    'checkpoint of a training run': literalIn('clients/typescript/training/checkpoint.ts'),
    'profile of a client': PROFILE_FORMAT,
    'onboarding file': ONBOARDING_VERSION,
    'invite of a member': INVITE_VERSION,
    'manifest of a federation': literalIn('src/protocol/federation/manifest.ts'),
    "state of a federation's member": memberVersion,
  };
  for (const [format, version] of Object.entries(versions)) {
    it(`states the version of: ${format}`, () => {
      const row = text.split('\n').find((line) => line.startsWith(`| ${format}`));
      assert.equal(Number(row?.split('|')[2]), version);
    });
  }
});
