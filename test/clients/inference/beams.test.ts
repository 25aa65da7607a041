/**
 * Beam search finds the texts that transformers finds, through decode sessions and without them.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClientBundle, connect, RemoteModel, SplitModel, searchBeams } from '../../../clients/typescript/index.js';
import { BeamSearch, type BeamSettings } from '../../../clients/typescript/inference/beams/beam-search.js';
import type { BeamOptions } from '../../../clients/typescript/inference/beams/search-beams.js';
import { DecodeSession } from '../../../clients/typescript/inference/decode-session.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { depth, every } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway } from '../../support/test-gateway.js';

interface BeamCase {
  readonly options: BeamOptions;
  readonly stops: readonly number[];
  readonly prompt: readonly number[];
  readonly texts: readonly { readonly ids: readonly number[]; readonly score: number }[];
}

/** Made by test/conformance/generation.py. */
const { beams } = JSON.parse(readFileSync(join(packageRoot(), 'test/fixtures/generation/cases.json'), 'utf8')) as {
  readonly beams: readonly BeamCase[];
};

/** The most sessions that are open at once while a job runs. */
async function sessionsOf(job: () => Promise<void>): Promise<number> {
  const { fork, close } = DecodeSession.prototype;
  const { open } = DecodeSession;
  const live = new Set<DecodeSession>();
  let most = 0;
  const born = (session: DecodeSession): DecodeSession => {
    most = Math.max(most, live.add(session).size);
    return session;
  };
  DecodeSession.open = async (...args) => born(await open.apply(DecodeSession, args));
  DecodeSession.prototype.fork = async function (signal) {
    return born(await fork.call(this, signal));
  };
  DecodeSession.prototype.close = function () {
    live.delete(this);
    close.call(this);
  };
  try {
    await job();
    assert.equal(live.size, 0, 'sessions that are left open');
    return most;
  } finally {
    Object.assign(DecodeSession.prototype, { fork, close });
    DecodeSession.open = open;
  }
}

describe('beam search', () => {
  /** Runs a job on a gateway. */
  async function through(start: object, cut: object, job: (model: SplitModel) => Promise<void>): Promise<void> {
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny', cut);
    const gateway = await startTestGateway({ backboneDir, start: { insecure: true, ...start } });
    const bundle = await ClientBundle.open(bundleDir, { threads: 1 });
    const connection = await connect({ address: gateway.gateway.listen, token: await gateway.token(), insecure: true });
    try {
      await job(new SplitModel(bundle, new RemoteModel(connection)));
    } finally {
      connection.close();
      await bundle.close();
      await gateway.close();
    }
  }

  async function compare(model: SplitModel, { options, stops, prompt, texts }: BeamCase): Promise<void> {
    const found = await searchBeams(model, undefined, prompt, { ...options, stopTokenIds: stops });
    const ends = (ids: readonly number[]): boolean => stops.includes(ids.at(-1)!) || model.bundle.tokenizer.stopTokenIds.has(ids.at(-1)!);
    assert.deepEqual(
      found.map(({ ids, finish }) => [ids, finish]),
      texts.map(({ ids }) => (ends(ids) ? [ids.slice(0, -1), 'stop'] : [ids, 'length'])),
      JSON.stringify(options),
    );
    for (const [at, { score }] of found.entries())
      assert.ok(Math.abs(score - texts[at]!.score) < 1e-4, `score ${score}, of transformers ${texts[at]!.score}`);
  }

  it('finds the texts and scores of transformers, with a session for each beam at most', () =>
    through({}, {}, async (model) => {
      for (const one of every(5, beams)) {
        const most = await sessionsOf(() => compare(model, one));
        assert.ok(most > 1 && most <= one.options.numBeams, `${most} sessions of ${one.options.numBeams} beams`);
      }
      await assert.rejects(searchBeams(model, undefined, [], { numBeams: 2 }), { code: 'INVALID_ARGUMENT', message: /prompt of 1 to/ });
      for (const numBeams of [0, 65, 1.5])
        await assert.rejects(searchBeams(model, undefined, [5], { numBeams }), {
          code: 'INVALID_ARGUMENT',
          message: /numBeams: .* 1 to 64/,
        });
    }));

  const others = [
    ['a gateway that does not decode', { decodeMemory: 0 }, {}],
    ['too little room for its sessions', { decodeMemory: '4KiB', decodeCache: 0 }, {}],
    ['blocks of the client below and above', {}, { bottom: 1, top: 1 }],
  ] as const;
  for (const [what, start, cut] of others.slice(0, depth(others.length, 1)))
    it(`finds the same with ${what}`, () =>
      through(start, cut, async (model) => {
        for (const one of beams.slice(1, depth(3, 2))) await compare(model, one);
      }));

  it('goes on past stop tokens with as many beams, and takes the first of equals', () => {
    const settings: BeamSettings = {
      numBeams: 2,
      lengthPenalty: 1,
      earlyStopping: true,
      maxNewTokens: 9,
      stopTokenIds: new Set([0]),
    };
    const search = new BeamSearch(settings);
    search.step([Float32Array.of(-1, -2, -2, -3)]);
    assert.deepEqual(
      search.running.map(({ ids }) => ids),
      [[1], [2]],
    );
    assert.deepEqual(search.ended, [{ ids: [], score: -1, finish: 'stop' }]);
    search.step([Float32Array.of(-9, -1, -9, -9), Float32Array.of(-0.5, -9, -9, -9)]);
    assert.deepEqual(search.ended.at(-1), { ids: [2], score: -1.25, finish: 'stop' });
    assert.ok(search.done);
    const many = new BeamSearch({ ...settings, stopTokenIds: new Set([0, 3]) });
    many.step([Float32Array.of(-9, -1, -1, -9)]);
    many.step([Float32Array.of(-0.5, -8, -9, -0.5), Float32Array.of(-0.5, -9, -9, -0.5)]);
    assert.deepEqual(
      many.running.map(({ ids }) => ids),
      [
        [1, 1],
        [1, 2],
      ],
    );
    const none = new BeamSearch({ numBeams: 2, lengthPenalty: 1, earlyStopping: false, maxNewTokens: 2, stopTokenIds: new Set() });
    assert.throws(() => none.step([new Float32Array(4).fill(Number.NEGATIVE_INFINITY)]), {
      code: 'INVALID_ARGUMENT',
      message: /no token is left/,
    });
  });
});
