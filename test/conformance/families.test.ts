/** The registry against the fixtures: whatever is read has reference values from outside, in both dialects of config.json. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeModel, families } from '../../src/compiler/models/registry.js';
import type { DecoderSpec, RopeSpec } from '../../src/compiler/models/spec.js';
import { referenceFixtures } from '../support/reference-fixtures.js';

const fixtures = referenceFixtures();

/** The rope types that must each have a fixture; a new one does not compile without its row. */
const ropeTypes: Readonly<Record<RopeSpec['scaling'], true>> = {
  none: true,
  linear: true,
  dynamic: true,
  yarn: true,
  longrope: true,
  llama3: true,
};

function ropesOf({ position }: DecoderSpec): RopeSpec[] {
  return position.kind === 'rope' ? [position.rope, ...(position.windowRope === undefined ? [] : [position.windowRope])] : [];
}

describe('conformance: families', () => {
  const specs = fixtures.map(({ configText }) => describeModel(configText).spec);

  it('has reference values for every family of the registry', () => {
    assert.deepEqual([...new Set(fixtures.map(({ modelType }) => modelType))].sort(), Object.keys(families).sort());
  });

  it('has every family as a sharded 16-bit checkpoint, but GPT-2, which has its 16-bit hub layout', () => {
    const sharded = new Set(fixtures.filter((fixture) => fixture.sharded).map(({ modelType }) => modelType));
    assert.deepEqual(
      Object.keys(families).filter((family) => !sharded.has(family)),
      ['gpt2'],
    );
  });

  it('has reference values for every rope type', () => {
    const met = new Set(specs.flatMap((spec) => ropesOf(spec).map(({ scaling }) => scaling)));
    assert.deepEqual([...met].sort(), Object.keys(ropeTypes).sort());
  });

  it('has reference values on both sides of the switch where rope changes with the length of the batch', () => {
    const changing = fixtures.filter((_, i) => ropesOf(specs[i]!).some(({ scaling }) => scaling === 'dynamic' || scaling === 'longrope'));
    assert.ok(changing.length >= 3);
    for (const { name, document } of changing) assert.ok(document.short !== undefined, `${name} has no short batch`);
  });

  it('has windows that the reference batch crosses', () => {
    for (const [i, spec] of specs.entries()) {
      const text = Math.max(...fixtures[i]!.document.batch.lengths);
      for (const window of spec.attention.windows) assert.ok(window === null || window < text || window > 1000, fixtures[i]!.name);
    }
    assert.ok(specs.some(({ attention }) => new Set(attention.windows).size > 1));
  });

  for (const { name, dir, configText } of fixtures) {
    for (const version of [4, 5]) {
      const other = join(dir, `config-v${version}.json`);
      if (!existsSync(other)) continue;
      it(`${name}: reads its config in the dialect of transformers ${version} as the same model`, () => {
        assert.deepEqual(describeModel(readFileSync(other, 'utf8')).spec, describeModel(configText).spec);
      });
    }
  }

  for (const { name, configText, document } of fixtures) {
    it(`${name}: scales prompts of outside as transformers does`, () => {
      assert.equal(describeModel(configText).spec.promptScale, document.promptScale ?? 1);
    });
  }
});
