/** Constraints that are made to explode: each ends in a bounded time and memory, by a typed error. */
import assert from 'node:assert/strict';
import { type Constraint, constraintGrammar } from '../../../../clients/typescript/inference/grammar/constraint.js';
import { EngineMemory, engineMemory, MAX_ENGINE_BYTES } from '../../../../clients/typescript/inference/grammar/engine-memory.js';
import { DEFAULT_GRAMMAR_LIMITS, GrammarThread } from '../../../../clients/typescript/inference/grammar/grammar-thread.js';
import { thorough } from '../../../support/exhaustive.js';
import { allowedIds, smallMatcher, smallSetup } from '../../../support/grammar-walk.js';

const MIB = 2 ** 20;
const times = <T>(count: number, of: (at: number) => T): readonly T[] => Array.from({ length: count }, (_, at) => of(at));
const named = <T>(count: number, of: (at: number) => T) => Object.fromEntries(times(count, (at) => [`a${at}`, of(at)]));
const schema = (given: unknown): Constraint => ({ kind: 'schema', schema: given });
const regex = (pattern: string): Constraint => ({ kind: 'regex', pattern });

/** What stands beside many branches is made for each of them; long names are told apart. */
const refusedAtOnce: Readonly<Record<string, Constraint>> = {
  'a long enum in each of many branches': schema({ enum: times(2000, (at) => at), anyOf: times(6000, () => true) }),
  'a long pattern in each of many branches': schema({ pattern: '[a-z]'.repeat(200), anyOf: times(10_000, () => true) }),
  'many properties in each of many branches': schema({
    properties: named(1000, () => ({ type: 'integer' })),
    anyOf: times(5000, () => true),
  }),
  'a long name beside further ones': schema({ properties: { ['x'.repeat(5000)]: {} }, additionalProperties: true }),
  'a repeat of a million': regex('(?:a{1,1000000}){1,1000000}'),
  'an enum of very many values': schema({ enum: times(2001, (at) => at) }),
};

/** They take no stack for each step. */
const readAtOnce: Readonly<Record<string, Constraint>> = {
  'a chain of references': schema({
    $ref: '#/$defs/a0',
    $defs: named(2000, (at) => (at < 1999 ? { $ref: `#/$defs/a${at + 1}` } : { type: 'integer' })),
  }),
  'deep schemas in a chain of references': schema({
    $ref: '#/$defs/a0',
    $defs: named(90, (at) => times(50, () => 0).reduce<object>((items) => ({ items }), at < 89 ? { $ref: `#/$defs/a${at + 1}` } : {})),
  }),
  'choices that begin alike': { kind: 'choice', choices: ['x', 'y'].map((end) => `${'a'.repeat(4095)}${end}`) },
  'choices that begin one another': { kind: 'choice', choices: times(300, (at) => 'a'.repeat(4 * at + 1)) },
  'a class of many ranges, many times': regex('[^\\p{L}]{1000}'.repeat(50)),
};

/** Their states multiply in the engine. */
const exploding: readonly Constraint[] = [
  regex('(?:(?:(?:[a-z]?[b-x]?){0,900}y?){0,900}z?){0,900}'),
  regex('(?:(?:(?:a){0,1000}){0,1000}){0,1000}'),
  schema({ properties: named(1000, () => ({ type: 'string', maxLength: 1000 })) }),
  schema(times(9, () => 0).reduce<object>((one) => ({ anyOf: [one, one] }), { type: 'string', pattern: 'a{0,1000}' })),
];

describe('a constraint that is made to explode', () => {
  for (const [what, constraint] of Object.entries(refusedAtOnce))
    it(`is refused before it is compiled: ${what}`, () => {
      const bytes = process.memoryUsage().rss;
      assert.ok(secondsOf(() => assert.throws(() => constraintGrammar(constraint), { code: 'LIMIT_EXCEEDED' })) < 2);
      assert.ok(process.memoryUsage().rss - bytes < 128 * MIB);
    });

  for (const [what, constraint] of Object.entries(readAtOnce))
    it(`is read at once: ${what}`, () => {
      assert.ok(secondsOf(() => constraintGrammar(constraint)) < 2);
    });

  it('keeps what long choices share in one piece', async () => {
    const matcher = await smallMatcher(readAtOnce['choices that begin alike']!);
    assert.deepEqual(
      allowedIds(await matcher.begin(1)).map((id) => String.fromCharCode(id)),
      ['a'],
    );
  });

  it('ends in its thread, and gives its memory back, two at a time', async () => {
    const limits = { ...DEFAULT_GRAMMAR_LIMITS, compileMs: 400 };
    const before = engineMemory.reserved; // of grammars that other tests keep
    const outcomes = await Promise.allSettled(exploding.slice(0, 3).map((one) => GrammarThread.start(smallSetup(one), limits)));
    for (const one of outcomes) assert.equal(one.status === 'rejected' && one.reason.code, 'LIMIT_EXCEEDED');
    assert.equal(engineMemory.reserved, before);
  });

  it('waits for its turn, and for memory, within bounds', async () => {
    const memory = new EngineMemory(3 * MAX_ENGINE_BYTES);
    let [running, most, rooms] = [0, 0, 0];
    const makeRoom = async (): Promise<void> => void rooms++;
    const ended: (() => void)[] = [];
    const start = () =>
      memory.start(async (share) => {
        most = Math.max(most, ++running);
        await new Promise(setImmediate);
        running--;
        share.settle(MAX_ENGINE_BYTES / 2);
        ended.push(() => share.release());
      }, makeRoom);
    const outcomes = await Promise.allSettled(times(40, start));
    assert.equal(most, 2);
    const refused = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason.message as string] : []));
    assert.equal(refused.filter((message) => /wait to be compiled/.test(message)).length, 40 - 32);
    // Four halves are in use, the last while it was a whole one: one more was too much.
    assert.equal(ended.length, 4);
    assert.equal(refused.filter((message) => /hold all memory/.test(message)).length, 32 - 4);
    assert.equal(rooms, 32 - 4);
    for (const end of ended) end();
    for (const end of ended) end();
    assert.equal(memory.reserved, 0);
    await start();
    assert.equal(memory.reserved, MAX_ENGINE_BYTES / 2);
  });

  thorough('takes no more than its engine and its heap, four at a time', async function () {
    this.timeout(300_000);
    const [before, reserved] = [process.memoryUsage().rss, engineMemory.reserved];
    let peak = before;
    const look = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().rss);
    }, 20);
    const outcomes = await Promise.allSettled(exploding.map((one) => GrammarThread.start(smallSetup(one))));
    clearInterval(look);
    for (const one of outcomes) if (one.status === 'fulfilled') await one.value.close();
    const codes = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason.code as string] : []));
    assert.deepEqual([...new Set(codes)], ['LIMIT_EXCEEDED']);
    // Two at once, each with its engine and its heap.
    assert.ok(peak - before < 2 * (MAX_ENGINE_BYTES + DEFAULT_GRAMMAR_LIMITS.heapMb * MIB), `${(peak - before) / MIB} MiB`);
    assert.equal(engineMemory.reserved, reserved);
  });
});

/** Seconds of the processor's time. */
function secondsOf(work: () => void): number {
  const began = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1e6;
}
