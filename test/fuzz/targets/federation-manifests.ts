/** Manifests of federations and broadcasts, signed by the right key, so that what is inside is judged. */
import assert from 'node:assert/strict';
import { canonicalBytes } from '../../../src/protocol/federation/canonical-json.js';
import { openBroadcast } from '../../../src/protocol/federation/chain.js';
import { openManifest, signManifest } from '../../../src/protocol/federation/manifest.js';
import { sign } from '../../../src/protocol/secagg/signature.js';
import { broadcastExamples, coordinatorKey, federation, founderKey, manifestExamples } from '../federation-values.js';
import { editedJson } from '../json-edits.js';
import type { Target } from '../target.js';

const parse = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString());
const broadcasts = broadcastExamples.map(({ bytes }) => parse(bytes));

/** In canonical JSON where there is one, as every other spelling is refused. */
function canonical(value: unknown): string {
  try {
    return Buffer.from(canonicalBytes(value)).toString();
  } catch {
    return JSON.stringify(value);
  }
}

const isBroadcast = (input: Uint8Array): boolean => Buffer.from(input).includes('"seq"');

export const target: Target = {
  examples: [...manifestExamples, ...broadcasts].map((document) => canonicalBytes(document)),
  made: editedJson([...manifestExamples, ...broadcasts], canonical),
  words: ['"settings":{', '"members":[', '"cohort":{"min":3}', '"privacy":null', '"strategy":{"kind":"krum"}', '"__proto__":{}', '\\ud800'],
  run(input) {
    if (isBroadcast(input)) {
      const signature = sign(coordinatorKey.privateKey, input);
      openBroadcast({ bytes: input, signature }, { federation, coordinatorKey: coordinatorKey.publicKey, head: null });
      return;
    }
    const opened = openManifest({ bytes: input, signature: sign(founderKey.privateKey, input) });
    assert.deepEqual(Buffer.from(signManifest(opened.manifest, founderKey.privateKey).bytes), Buffer.from(input));
  },
};
