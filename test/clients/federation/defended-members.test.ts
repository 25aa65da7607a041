/** Noise of a member's own, on tokens and on labels: the same in all rounds and starts, and recorded. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { trainedDefences } from '../../../clients/typescript/adapters/trained-on.js';
import { openFederateData } from '../../../clients/typescript/cli/federate/federate-data.js';
import type { FederateFlags } from '../../../clients/typescript/cli/federate/federate-options.js';
import { Defences } from '../../../clients/typescript/defences/defences.js';
import { labelNoise } from '../../../clients/typescript/defences/label-noise.js';
import { NoiseSecret } from '../../../clients/typescript/defences/noise-secret.js';
import { parseRecorded, recordedDefences } from '../../../clients/typescript/defences/recorded.js';
import { tokenNoise } from '../../../clients/typescript/defences/token-noise.js';
import { ownRecords } from '../../../clients/typescript/federation/data/own-records.js';
import { MemberStore } from '../../../clients/typescript/federation/member-store.js';
import { rowDeviation } from '../../../clients/typescript/model/row-deviation.js';
import type { ForwardRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/ForwardRequest.js';
import { thorough } from '../../support/exhaustive.js';
import { type FederationRig, federationRig } from '../../support/federation-rig.js';
import { writeNotes } from '../../support/training-data.js';

const secret = NoiseSecret.parse('5'.repeat(64), 'test');
const untimed = { enlistSeconds: 3600, stageSeconds: 3600, gatherSeconds: 3600, trainSeconds: 3600 };

describe('a member with noise of its own', function () {
  this.timeout(600_000);
  let rig: FederationRig;
  before(async () => {
    rig = await federationRig();
  });
  after(() => rig?.close());

  const flagsFor = (data: string, labels?: number) =>
    ({ data, labelNoise: labels, overlong: 'error', trainOn: 'all', stateDir: rig.dir }) as unknown as FederateFlags; // the data's own
  /** What it trains on, as `client federate` opens it. */
  const opened = async (flags: FederateFlags, defences: Defences) => {
    const { open } = await rig.found({ cohort: { min: 1 }, secureAggregation: null, rounds: { count: 1, ...untimed } }, 1);
    const session = { bundle: rig.bundle, connection: rig.connection, drafter: undefined, defences, close: async () => undefined };
    const around = { signal: new AbortController().signal, onEvent: () => undefined };
    return (await openFederateData(flags, session, { open, member: 'site0' }, MemberStore.memory(), around)).data;
  };

  thorough('sends a record with the same noise in each round, told by its content, and records both defences', async () => {
    const file = join(rig.dir, 'train.jsonl');
    writeNotes(file, 4, 1);
    const clipNorm = (await rowDeviation(rig.bundle)) * Math.sqrt(rig.bundle.dims.hiddenSize);
    const noise = tokenNoise({ clipNorm, noiseMultiplier: 0.5, secret });
    const defences = new Defences([noise], undefined, undefined, labelNoise({ epsilon: 4, secret }));
    const training = { epochs: 1, batchSize: 1, learningRate: 0.02 };
    const settings = { cohort: { min: 1 }, secureAggregation: null, rounds: { count: 2, ...untimed }, training };
    const sentBy = async (name: string): Promise<readonly string[]> => {
      const federation = await rig.found(settings, 1);
      const sent: string[] = [];
      const call = (method: string, request: ForwardRequest, options?: object): Promise<unknown> => {
        if (method === 'Forward') sent.push(Buffer.from(request.hiddenStates!.data!).toString('base64'));
        return (rig.connection.call as (...given: readonly unknown[]) => Promise<unknown>)(method, request, options);
      };
      const connection = Object.create(rig.connection, { call: { value: call } }) as typeof rig.connection;
      const state = await MemberStore.open(join(rig.dir, name));
      const data = await opened(flagsFor(file, 4), defences);
      await (await federation.participant(0, { state, connection, data, defences })).run();
      const recorded = parseRecorded(await trainedDefences(join(rig.dir, name, 'adapter')));
      assert.deepEqual(recorded, recordedDefences(defences.all));
      return sent;
    };
    const first = await sentBy('first');
    assert.equal(first.length, 8);
    assert.equal(new Set(first).size, 4);
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    await writeFile(file, `${lines.reverse().join('\n')}\n`);
    assert.deepEqual(new Set(await sentBy('again')), new Set(first));
  });

  it('trains on labels that are drawn from all of a file, and measures with those of its held-out records', async () => {
    const [file, heldOut] = [join(rig.dir, 'labels.jsonl'), join(rig.dir, 'held-out.jsonl')];
    writeNotes(file, 16, 4);
    writeNotes(heldOut, 16, 5);
    const drawn = new Defences([], undefined, undefined, labelNoise({ epsilon: 0.5, secret }));
    const of = async (defences: Defences) => {
      const data = await opened({ ...flagsFor(file, 0.5), heldOut }, defences);
      return { training: (await data.roundExamples(1, 0)).examples, measured: data.heldOut(0).current };
    };
    const [own, noised] = [await of(new Defences()), await of(drawn)];
    const room = { classes: undefined, most: 60 };
    const idsOf = (examples: readonly { readonly tokenIds: Int32Array }[]) => examples.map(({ tokenIds }) => [...tokenIds]);
    assert.deepEqual(idsOf(noised.training), idsOf(drawn.relabelled(own.training, room).examples));
    assert.notDeepEqual(idsOf(noised.training), idsOf(own.training));
    assert.deepEqual(idsOf(noised.measured), idsOf(own.measured));
  });

  it('gives each record of a folder its own name, and takes no label noise there', async () => {
    const folder = join(rig.dir, 'folder');
    await mkdir(folder);
    writeNotes(join(folder, 'notes.jsonl'), 6, 6);
    const data = await opened(flagsFor(folder), new Defences());
    const names = async () => (await data.roundExamples(1, 0)).examples.map(({ record }) => record);
    const first = await names();
    assert.ok(first.length > 0 && new Set(first).size === first.length && !first.includes(undefined), `${first}`);
    assert.deepEqual(await names(), first);
    await data.close();
    await assert.rejects(opened(flagsFor(folder, 1), new Defences()), {
      code: 'INVALID_OPTION',
      message: /^--label-noise: --data .*folder is a directory.*pass one file$/,
    });
  });

  it('takes the same text twice for two records', () => {
    const [one] = rig.examples(0, 1);
    const names = ownRecords([one!, one!, { ...one!, labelMask: one!.labelMask.map(() => 1) }]).map(({ record }) => record);
    assert.equal(new Set(names).size, 3);
  });
});
