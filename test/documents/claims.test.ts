/** Every shipped text says what crosses between client and vendor, and none claims more than is true. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exposure, exposureAt, exposureNote } from '../../src/artifacts/exposure.js';
import { readyLines } from '../../src/commands/gateway/run-gateway-start.js';
import { program } from '../../src/commands/program.js';
import { bundleReadme } from '../../src/compiler/pack/bundle-readme.js';
import { packageRoot } from '../../src/files/package-root.js';
import { cutlayerHere } from '../support/command-here.js';
import { fixtureDir } from '../support/packed-model.js';
import { shippedFiles } from './files.js';

/** What no text of ours may say: the vendor made the weights, and a prompt's values cross at each step. */
const falseClaims: readonly RegExp[] = [
  /(cannot|can't|can not|never) see your/i,
  /(vendor|gateway|provider|party) (can )?(never|cannot|can't|does not|doesn't) (see|sees|read|reads|learn|learns|know|knows)\b[^.]{0,30}(text|data|prompt|label|token|content)/i,
  /(adapter|prompt|prefix|data|text|notes|labels)( \w+){0,2} (never|does not|do not|don't|doesn't) leaves?\b/i,
  /never leaves? (the|your|this) (client|machine|process|network|premises|site|company)/i,
  /(adapter|prompt|prefix|data|text|notes|labels)( \w+){0,2} stays? (where (it|they) (is|are)|here|at home|local|on[- ]prem|inside|private|secret)/i,
  /(cannot|can't) be (stolen|copied|reconstructed|extracted|inverted)/i,
  /encrypts? (the |your )?(activations|hidden states|text)/i,
  /labels and the adapter\b(?!'s)/i,
  /no party (can )?sees?\b/i,
  /(fully|completely|perfectly|provably) (private|confidential|secure|anonymous)/i,
  /zero[- ]knowledge|privacy[- ]preserving(?! Machine Learning)/i,
];

/** A guarantee needs its unit, epsilon and delta; the title of a paper is none. */
const bareGuarantee = /differentially private(?! Learning with Adaptive)/i;

describe('claims', () => {
  it('no shipped text claims what is not true', () => {
    const found = shippedFiles().flatMap((file) =>
      readFileSync(join(packageRoot(), file), 'utf8')
        .split('\n')
        .flatMap((line, index) =>
          falseClaims.some((claim) => claim.test(line)) || (bareGuarantee.test(line) && !/epsilon/i.test(line))
            ? [`${file}:${index + 1}: ${line.trim()}`]
            : [],
        ),
    );
    assert.deepEqual(found, []);
  });

  it('the sentences that were once wrong are found', () => {
    for (const wrong of [
      'Text, labels and the adapter never leave the client.',
      'The trained adapter never leaves this machine.',
      'the client trains on data that stays where it is',
      'The vendor cannot see your data.',
      'The gateway never sees the text of a client.',
      'Our gateway encrypts activations, so that weights cannot be stolen.',
    ])
      assert.ok(
        falseClaims.some((claim) => claim.test(wrong)),
        wrong,
      );
    assert.ok(bareGuarantee.test('Training is differentially private.'));
  });

  const parts = [
    /not in any message/,
    /stored or logged|stores nor logs/,
    /soft prompt or prefix are sent at each step/,
    /k = 0.*look the tokens up/,
  ];
  const requireParts = (text: string): void => {
    const flat = text.replace(/\s+/g, ' ');
    for (const part of parts) assert.match(flat, part);
  };

  it("README's first screen says what crosses", () => {
    requireParts(readFileSync(join(packageRoot(), 'README.md'), 'utf8').split('\n').slice(0, 40).join('\n'));
  });

  it('the help of the program says what crosses', async () => {
    let help = '';
    (await program([])).configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    requireParts(help);
  });

  it('the README of a bundle and the reports of the demos say what crosses', () => {
    for (const bottom of [0, 1]) {
      const cut = { bottom, top: 0, numLayers: 4 };
      const dims = { hiddenSize: 8, numLayers: 4 - bottom, numHeads: 2, numKvHeads: 2, headDim: 4, maxPositions: 16 };
      // Of the manifest the README needs these fields alone.
      const manifest = { name: 'm', family: 'llama', cut, dims, vocabSize: 9, parameters: 1, backboneDigest: 'd', weightsFile: 'w' };
      const text = bundleReadme(manifest as Parameters<typeof bundleReadme>[0], 1);
      assert.ok(text.includes(exposure) && text.includes(exposureAt(bottom)), text);
    }
    for (const file of ['demo/report.ts', 'demo/federated/report.ts'])
      assert.match(readFileSync(join(packageRoot(), file), 'utf8'), /<footer>\$\{escapeHtml\(`\$\{exposure\} \$\{exposureAt\(0\)\}/);
    requireParts(`${exposure} ${exposureAt(0)}`);
  });

  it('a gateway prints one line about the default cut when it is ready, and none at another cut', () => {
    const lines = (bottom: number, json: boolean): readonly string[] => {
      const engine = { artifact: { manifest: { cut: { bottom } } } };
      const running = { listen: '127.0.0.1:1', admin: '127.0.0.1:2', caFile: 'ca.pem', model: 'm', backboneDigest: 'd', engine };
      // The lines come from these fields alone.
      return readyLines(running as Parameters<typeof readyLines>[0], { json, insecure: false } as Parameters<typeof readyLines>[1]);
    };
    assert.deepEqual(lines(0, false).slice(1), [exposureNote(0)]);
    assert.equal(lines(1, false).length, 1);
    assert.equal(lines(0, true).length, 1);
    assert.equal(JSON.parse(lines(0, true)[0]!).note, exposureNote(0));
  });

  it('pack prints one line about the default cut, and none at another cut', async () => {
    const out = await mkdtemp(join(tmpdir(), 'cutlayer-claims-'));
    const said = async (bottom: string) =>
      (await cutlayerHere(['pack', fixtureDir('gpt2-tiny'), '--out', join(out, bottom), '--bottom', bottom])).stderr;
    assert.ok((await said('0')).split('\n').includes(exposureNote(0)!));
    assert.doesNotMatch(await said('1'), /look the tokens up/);
    await rm(out, { recursive: true });
  });
});
