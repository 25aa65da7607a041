/** `manifest.json` of backbones and client bundles. */
import assert from 'node:assert/strict';
import { backboneManifestSchema, clientBundleManifestSchema, parseManifest } from '../../../src/artifacts/manifest.js';
import { CutlayerError } from '../../../src/errors.js';
import { corpus } from '../inputs.js';
import { editedJson } from '../json-edits.js';
import { smallManifest } from '../small-model.js';
import type { Target } from '../target.js';

const documents: unknown[] = [smallManifest, ...corpus('artifact-manifests').map((bytes) => JSON.parse(bytes.toString()) as unknown)];

export const target: Target = {
  examples: [Buffer.from(JSON.stringify(smallManifest))],
  made: editedJson(documents),
  words: ['"formatVersion":2', '"cutlayer-backbone"', '"cutlayer-client-bundle"', '"__proto__"', '../', 'null'],
  run(input) {
    const text = Buffer.from(input).toString();
    let refusal: unknown;
    for (const schema of [backboneManifestSchema, clientBundleManifestSchema]) {
      try {
        const manifest = parseManifest<unknown>(schema, text, 'manifest.json');
        assert.deepEqual(parseManifest<unknown>(schema, JSON.stringify(manifest), 'again'), manifest);
        return;
      } catch (caught) {
        if (!(caught instanceof CutlayerError)) throw caught;
        refusal = caught;
      }
    }
    throw refusal;
  },
};
