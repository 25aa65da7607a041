/** A whole audit: records through the client, then the suite on what the vendor has seen. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { CutlayerError } from '../../../src/errors.js';
import { FinishedParts } from '../../../src/files/finished-parts.js';
import type { WireDType } from '../../../src/protocol/wire/wire-dtype.js';
import type { Adapter } from '../adapters/adapter.js';
import type { Connection } from '../connection/connect.js';
import type { Example } from '../data/examples.js';
import type { RecordedDefence } from '../defences/defence.js';
import type { Defences } from '../defences/defences.js';
import { recordedDefences } from '../defences/recorded.js';
import type { ClientBundle } from '../model/client-bundle.js';
import type { AttackerId, VendorView } from './attacker.js';
import { takeCandidates } from './candidates.js';
import { offlineConnection } from './offline-connection.js';
import { plantedRecords } from './planted.js';
import { type AttackResult, runSuite, SUITE } from './suite.js';
import { Listening, partsFor, Trace, takeTrace } from './trace.js';
import type { Truth } from './truth.js';

/** `report.json`. */
export interface AuditReport {
  readonly formatVersion: 1;
  /** Version of the suite: figures of two versions do not compare. */
  readonly suite: number;
  readonly backboneDigest: string;
  readonly cut: { readonly bottom: number; readonly top: number };
  readonly wire: WireDType;
  readonly adapter: { readonly method: string; readonly virtualTokens: number; readonly fresh: boolean };
  /** Each with its settings. */
  readonly defences: readonly RecordedDefence[];
  readonly records: { readonly own: number; readonly planted: number; readonly tokens: number };
  /** Whether a gateway answered. */
  readonly answered: boolean;
  readonly attackers: readonly AttackResult[];
  /** Records of which it was asked to show what came back. */
  readonly shown?: readonly ShownRecord[];
}

/** A record's text, and what attackers took it for: a text for each token. */
export interface ShownRecord {
  readonly planted: boolean;
  readonly sent: readonly string[];
  readonly guesses: Readonly<Partial<Record<AttackerId, readonly string[]>>>;
}

/** What is audited. */
export interface AuditOptions {
  readonly bundle: ClientBundle;
  readonly connection: Connection;
  /** False: the connection is to no gateway. */
  readonly answered: boolean;
  readonly adapter: Adapter;
  /** The adapter is new: no training has changed it. */
  readonly fresh: boolean;
  /** Those of the client. */
  readonly defences: Defences;
  /** The same with another secret: what an attacker that knows them has. */
  readonly twin: Defences;
  readonly examples: readonly Example[];
  /** Texts of the same kind that are not audited: an attacker learns from them. */
  readonly others: readonly Example[];
  /** Records of the same kind that have not trained the adapter. Default: none. */
  readonly nonMembers?: readonly Example[] | undefined;
  readonly planted: number;
  readonly seed: number;
  readonly only?: readonly AttackerId[] | undefined;
  /** Also give the text of a record and of a planted one, and what came back of them. */
  readonly show?: boolean | undefined;
  /** Directory of traces and results. */
  readonly dir: string;
  readonly signal?: AbortSignal | undefined;
  /** Told of each piece of work: its name, and how far it is. */
  readonly onProgress?: (what: string, done: number, total: number) => void;
}

/** What the suite works on. */
export interface OpenedAudit {
  readonly view: VendorView;
  readonly truth: Truth;
  /** Results that a directory keeps. */
  readonly parts: FinishedParts;
}

/** Runs an audit, or the rest of it. @throws CutlayerError as {@link openAudit}; of attackers */
export async function audit(options: AuditOptions): Promise<AuditReport> {
  const { bundle, connection, answered, adapter, fresh, defences, examples, only, signal, onProgress } = options;
  const { view, truth, parts } = await openAudit(options);
  const shown = options.show === true ? [0, truth.own].filter((at) => at < truth.examples.length) : undefined;
  const results = await runSuite({
    ...{ view, truth, only, shown, signal },
    kept: (name, work) => parts.part(name, work),
    onProgress: ({ id, title }, done, total) => onProgress?.(`${id} ${title}:`, done, total),
  });
  const tokens = examples.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  return {
    ...{ formatVersion: 1, suite: SUITE, ...modelOf(bundle), wire: connection.wireDtype },
    adapter: { method: adapter.method, virtualTokens: adapter.numVirtualTokens, fresh },
    defences: recordedDefences(defences.all),
    records: { own: examples.length, planted: truth.planted.length, tokens },
    answered,
    attackers: results.map(({ shown: _, ...result }) => result),
    ...(shown === undefined ? {} : { shown: shown.map((at, which) => shownRecord(truth, at, which, results)) }),
  };
}

function shownRecord({ sent, own, text }: Truth, at: number, which: number, results: readonly AttackResult[]): ShownRecord {
  const texts = (tokens: Iterable<number>): readonly string[] => Array.from(tokens, (token) => text([token]));
  const guesses = results.flatMap(({ id, shown }) => (shown?.[which] === undefined ? [] : [[id, texts(shown[which])] as const]));
  return { planted: at >= own, sent: texts(sent[at]!.tokenIds), guesses: Object.fromEntries(guesses) };
}

/**
 * Sends the records that have not been sent.
 * @throws CutlayerError ALREADY_EXISTS (another audit's directory), of calls, CANCELLED
 */
export async function openAudit(options: AuditOptions): Promise<OpenedAudit> {
  const { bundle, connection, answered, adapter, defences, twin, examples, others, seed, dir, signal, onProgress } = options;
  const most = bundle.manifest.dims.maxPositions - adapter.numVirtualTokens;
  const tokenizer = bundle.manifest.tokenizerFiles.length > 0 ? bundle.tokenizer : undefined;
  const planted =
    tokenizer === undefined
      ? []
      : plantedRecords(tokenizer, { count: options.planted, most, seed, redaction: defences.redacts ? defences.redaction : undefined });
  const { nonMembers = [] } = options;
  checkApart(examples, nonMembers);
  const all = [...examples, ...planted.map(({ example }) => example)];
  const parts = await FinishedParts.open(dir, {
    ...{ suite: SUITE, ...modelOf(bundle), wire: connection.wireDtype, answered, seed, own: examples.length },
    ...{ records: all.map(digestOf), adapter: adapter.parameters.map(({ name, value }) => [name, digest(value.data)]) },
    ...{ defences: recordedDefences(defences.all), others: digestOfAll(others), nonMembers: digestOfAll(nonMembers) },
    fresh: options.fresh,
  });
  // From here on the directory is this audit's.
  await parts.part('begun', async () => true);
  const trace = new Trace(join(dir, 'trace'));
  const drawn = (records: readonly Example[]) => defences.relabelled(records, { classes: adapter.labels?.length, most }).examples;
  // Labels are drawn from all of the data.
  const sent = [...drawn([...examples, ...others]).slice(0, examples.length), ...all.slice(examples.length)];
  await takeTrace({
    ...{ bundle, connection, answered, adapter, defences, examples: sent, trace, signal },
    onProgress: (done, total) => onProgress?.('sending: record', done, total),
  });
  const candidates = await takeCandidates({
    ...{ bundle, connection, answered, adapter, defences, trace, dir, signal, onProgress },
    // With drawn labels, all of them: otherwise these would tell the two kinds apart.
    ...{ members: sent.slice(0, examples.length), nonMembers: answered ? drawn(nonMembers) : [] },
  });
  const imitation = new Listening({
    ...{ bundle, connection: offlineConnection(bundle, connection.wireDtype), answered: false, defences: twin },
  });
  return {
    view: {
      ...{ bundle, wire: connection.wireDtype, records: all.length, answered },
      record: (index) => trace.read(index),
      labelled: (index) => labelledTokens(sent[index]!, adapter.labels !== undefined),
      ...{ others: others.map(({ tokenIds }) => [...tokenIds]), seed },
      imitate: async (tokens, stop) => (await imitation.step(textOf(tokens), await partsFor(adapter, all[0]!), stop)).rows,
      parts: (index) => partsFor(adapter, all[index]!),
      rowTransform: defences.learnedStrength === undefined ? undefined : (await partsFor(adapter, all[0]!)).rowTransform,
      ...{ fresh: options.fresh, candidates },
    },
    truth: {
      ...{ examples: all, sent, own: examples.length, planted, classes: adapter.labels?.length, seed },
      text: (ids) => tokenizer?.decode([...ids]) ?? ids.join(' '),
    },
    parts,
  };
}

/** A text as a record whose every token is a label. */
function textOf(tokens: readonly number[]): Example {
  const labelMask = new Uint8Array(tokens.length).fill(1, Math.min(1, tokens.length - 1));
  return { ...{ tokenIds: Int32Array.from(tokens), labelMask, promptLength: 1, classLabel: 0, source: 'imitation' } };
}

/** As `predictedTokens` numbers them. */
function labelledTokens({ tokenIds, labelMask }: Example, classes: boolean): readonly number[] {
  return classes ? [tokenIds.length] : [...tokenIds.keys()].filter((token) => labelMask[token] === 1);
}

function modelOf({ identity, dims }: ClientBundle): Pick<AuditReport, 'backboneDigest' | 'cut'> {
  return { backboneDigest: identity.backboneDigest, cut: { bottom: dims.bottom, top: dims.top } };
}

function digestOf({ tokenIds, labelMask, classLabel, task }: Example): string {
  return [digest(tokenIds), digest(labelMask), classLabel ?? '', task ?? ''].join(' ');
}

const digestOfAll = (examples: readonly Example[]): string => digest(Buffer.from(examples.map(digestOf).join('\n')));

/** A record that is both would make the figures of membership wrong. */
function checkApart(members: readonly Example[], nonMembers: readonly Example[]): void {
  const own = new Set(members.map(digestOf));
  const both = nonMembers.find((example) => own.has(digestOf(example)));
  if (both === undefined) return;
  throw new CutlayerError('INVALID_ARGUMENT', `${both.source}: expected a record that is not audited, got one that is; leave it out`);
}

function digest(values: Int32Array | Uint8Array | Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest('hex');
}
