/**
 * Continuous improvement on a real model: a member's data changes from one kind to another, new examples start a round by themselves, and what is forgotten of the
 * first kind is measured, reduced by rehearsal and bounded by the promotion rule.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataFolder, type DataFolderOptions } from '../../../../clients/typescript/federation/data/data-folder.js';
import { MemberStore } from '../../../../clients/typescript/federation/member-store.js';
import type { ParticipantEvent } from '../../../../clients/typescript/federation/participant-events.js';
import { lineageOf, type VersionView, versionsOf } from '../../../../clients/typescript/versions/version-registry.js';
import { type Broadcast, type ChainHead, openBroadcast } from '../../../../src/protocol/federation/chain.js';
import { thorough } from '../../../support/exhaustive.js';
import { type FederationRig, federationRig, type TestFederation } from '../../../support/federation-rig.js';

/** Examples of one kind: notes whose right answer is always the same part. */
function notes(hall: string, part: string, count: number): string {
  const line = (n: number) => JSON.stringify({ prompt: `${hall} ${n}: ${hall} part?`, completion: ` ${part}` });
  return Array.from({ length: count }, (_, n) => `${line(n)}\n`).join('');
}

const FIRST = 40;
const SECOND = 80;

describe('continuous improvement', function () {
  this.timeout(360_000);
  let rig: FederationRig;
  let dir: string;
  before(async () => {
    rig = await federationRig();
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-forgetting-'));
  });
  after(async () => {
    await rig?.close();
    await rm(dir, { recursive: true, force: true });
  });

  /** Two rounds, each begun by new examples: first of pumps, then of valves. The participant is a new one for the second. */
  async function twoPhases(name: string, options: Partial<DataFolderOptions>, maxForgetting: number | null): Promise<Outcome> {
    const directory = join(dir, name, 'data');
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'first.jsonl'), notes('North', 'pump', FIRST));
    const federation = await rig.found(
      {
        cohort: { min: 1 },
        secureAggregation: null,
        rounds: {
          enlistSeconds: 0.05,
          stageSeconds: 120,
          gatherSeconds: 240,
          trainSeconds: 240,
          trigger: { kind: 'newExamples', count: 20, members: 1 },
        },
        training: { steps: 30, batchSize: 8, learningRate: 0.05, optimizerState: 'reset' },
        evaluation: { metric: 'loss', maxForgetting },
      },
      1,
    );
    const state = MemberStore.memory();
    const events: ParticipantEvent[] = [];
    const phase = async () => {
      const data = await DataFolder.open({
        directory,
        state,
        tokenizer: rig.bundle.tokenizer,
        examples: { maxLength: 60 },
        heldOutShare: 0.25,
        splitKey: new Uint8Array(32).fill(3),
        ...options,
      });
      const participant = await federation.participant(0, { data, state, rounds: 1, onEvent: (event) => events.push(event) });
      const summary = await participant.run(AbortSignal.timeout(240_000));
      assert.equal(summary.stopped, 'rounds');
      const { fresh } = data.counts;
      await data.close();
      return fresh;
    };
    assert.equal(await phase(), 0, 'an aggregate has used all examples');
    await writeFile(join(directory, 'second.jsonl'), notes('south', 'valve', SECOND));
    assert.equal(await phase(), 0);
    const versions = versionsOf(await chainOf(federation));
    await federation.order({ kind: 'finish' });
    return { versions, events };
  }

  let plain: Outcome;
  let rehearsed: Outcome;
  thorough('trains a round by itself when enough new examples are there, and promotes what is better', async () => {
    plain = await twoPhases('plain', { trainOn: 'new', rehearsal: 0 }, null);
    assert.deepEqual(
      plain.versions.map(({ status }) => status),
      ['superseded', 'superseded', 'promoted'],
    );
    assert.deepEqual(lineageOf(plain.versions, 2), [2, 1, 0]);
    assert.ok(plain.versions[1]!.gain!.loss > 0 && plain.versions[2]!.gain!.loss > 0);
  });

  thorough('measures what a version forgets of earlier held-out examples, and shows it to the member itself', () => {
    const forgot = plain.versions[2]!.forgetting!.loss;
    assert.ok(forgot > 0.3, `expected valves to overwrite pumps, got ${forgot} nats`);
    const own = plain.events.filter((event) => event.type === 'measured').filter(({ version }) => version === 2);
    assert.ok(own.length > 0 && own.every(({ earlier }) => Number.isFinite(earlier.loss)));
    const compared = plain.events.filter((event) => event.type === 'compared').find(({ version }) => version === 2)!;
    // One member: its own number is the cohort's, but for the cohort's rounding to float32.
    assert.ok(Math.abs(compared.forgotten.loss - forgot) < 1e-4, `${compared.forgotten.loss} and ${forgot}`);
    assert.ok(own[0]!.earlier.loss > own[0]!.current.loss, 'the earlier examples are those that suffer');
  });

  thorough('forgets less with rehearsal', async () => {
    rehearsed = await twoPhases('rehearsed', { trainOn: 'new', rehearsal: 0.4 }, null);
    const [without, with_] = [plain, rehearsed].map(({ versions }) => versions[2]!.forgetting!.loss);
    assert.ok(with_! < 0.5 * without!, `${with_} nats with rehearsal, ${without} without`);
  });

  thorough(
    'refuses to promote a version that forgets more than the manifest allows, however much better it is on all, and takes it with rehearsal',
    async () => {
      const [without, with_] = [plain, rehearsed].map(({ versions }) => versions[2]!.forgetting!.loss);
      const bound = Math.max(0.01, (without! + with_!) / 2);
      const refused = await twoPhases('bounded', { trainOn: 'new', rehearsal: 0 }, bound);
      const [, promoted, candidate] = refused.versions;
      assert.deepEqual([promoted!.status, candidate!.status], ['promoted', 'rejected']);
      assert.ok(candidate!.gain!.loss > 0, 'better on all held-out examples');
      const taken = await twoPhases('bounded-rehearsed', { trainOn: 'new', rehearsal: 0.4 }, bound);
      assert.equal(taken.versions[2]!.status, 'promoted');
    },
  );
});

interface Outcome {
  readonly versions: readonly VersionView[];
  readonly events: readonly ParticipantEvent[];
}

async function chainOf({ coordinator, open }: TestFederation): Promise<readonly Broadcast[]> {
  let head: ChainHead | null = null;
  const coordinatorKey = Buffer.from(open.manifest.coordinatorKey, 'hex');
  const broadcasts: Broadcast[] = [];
  for (const signed of await coordinator.reader(open.id).broadcasts(0)) {
    const opened: ReturnType<typeof openBroadcast> = openBroadcast(signed, { federation: open.id, coordinatorKey, head });
    head = opened.head;
    broadcasts.push(opened.broadcast);
  }
  return broadcasts;
}
