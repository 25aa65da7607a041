import assert from 'node:assert/strict';
import fc from 'fast-check';
import { reconstructSecret, splitSecret } from '../../../src/protocol/secagg/shamir.js';
import { seededRandom } from '../../support/secagg-table.js';

const dealt = fc
  .record({ holders: fc.integer({ min: 1, max: 255 }), part: fc.double({ min: 0, max: 1, noNaN: true }), seed: fc.integer() })
  .map(({ holders, part, seed }) => ({ holders, threshold: 1 + Math.floor(part * (holders - 1)), seed }));

/** A seeded choice of `count` holders, in any order. */
function choose(holders: number, count: number, seed: number): number[] {
  const random = seededRandom(`choice ${seed}`);
  return Array.from({ length: holders }, (_, i) => ({ x: i + 1, at: random(1)[0]! * 256 + random(1)[0]! }))
    .sort((a, b) => a.at - b.at)
    .slice(0, count)
    .map(({ x }) => x);
}

describe('secret sharing', () => {
  it('gives the shares of a polynomial computed by hand', () => {
    // f(x) = 0x2a + 0x53·x + 0x01·x²: f(1) = 2a^53^01 = 78; f(2) = 2a^a6^04 = 88; f(3) = 2a^f5^05 = da.
    const coefficients = [Uint8Array.of(0x01), Uint8Array.of(0x53)];
    const shares = splitSecret(Uint8Array.of(0x2a), 3, 3, () => coefficients.shift()!);
    assert.deepEqual(
      shares.map(([byte]) => byte),
      [0x78, 0x88, 0xda],
    );
  });

  it('reconstructs from any threshold of the shares', () => {
    fc.assert(
      fc.property(dealt, ({ holders, threshold, seed }) => {
        const random = seededRandom(seed);
        const secret = Uint8Array.from(random(4));
        const shares = splitSecret(secret, threshold, holders, random);
        const points = choose(holders, threshold, seed).map((x) => ({ x, share: shares[x - 1]! }));
        assert.deepEqual(reconstructSecret(points), secret);
      }),
      { seed: 21, numRuns: 60 },
    );
  });

  it('is consistent with every secret below the threshold', () => {
    fc.assert(
      fc.property(dealt, ({ holders, threshold, seed }) => {
        fc.pre(threshold > 1 && threshold < 60);
        const random = seededRandom(seed);
        const shares = splitSecret(Uint8Array.from(random(1)), threshold, holders, random);
        const known = choose(holders, threshold, seed);
        const missing = known.pop()!;
        const points = known.map((x) => ({ x, share: shares[x - 1]! }));
        const secrets = new Set(
          Array.from({ length: 256 }, (_, guess) => reconstructSecret([...points, { x: missing, share: Uint8Array.of(guess) }])[0]!),
        );
        assert.equal(secrets.size, 256);
      }),
      { seed: 22, numRuns: 12 },
    );
  });

  it('deals one fewer than the threshold of shares that are uniform, whatever the secret', () => {
    const counts = new Map<number, number>();
    const random = seededRandom(23);
    for (let run = 0; run < 25_600; run++) {
      const [, second] = splitSecret(Uint8Array.of(0), 2, 2, random);
      counts.set(second![0]!, (counts.get(second![0]!) ?? 0) + 1);
    }
    let chiSquare = 0;
    for (let value = 0; value < 256; value++) chiSquare += ((counts.get(value) ?? 0) - 100) ** 2 / 100;
    assert.ok(chiSquare < 350, `chi-square of 255 degrees: ${chiSquare}`); // p < 1e-4 above 350
  });

  it('refuses thresholds and points that make no sense', () => {
    const random = seededRandom(24);
    const secret = Uint8Array.of(1);
    for (const [threshold, holders] of [
      [0, 3],
      [4, 3],
      [2, 256],
      [1.5, 3],
    ] as const)
      assert.throws(() => splitSecret(secret, threshold, holders, random), { code: 'INVALID_ARGUMENT', message: /1 <= threshold/ });
    const share = Uint8Array.of(1);
    for (const points of [
      [],
      [{ x: 0, share }],
      [{ x: 256, share }],
      [
        { x: 1, share },
        { x: 1, share },
      ],
      [
        { x: 1, share },
        { x: 2, share: new Uint8Array(2) },
      ],
    ])
      assert.throws(() => reconstructSecret(points), { code: 'INVALID_ARGUMENT' });
  });
});
