/** The data of `cutlayer client federate`: a file that is read once, or a folder that grows. */
import { stat } from 'node:fs/promises';
import { CutlayerError } from '../../../../src/errors.js';
import { stderr } from '../../../../src/files/output.js';
import { loadExamples } from '../../data/examples.js';
import { DataFolder } from '../../federation/data/data-folder.js';
import { fixedData } from '../../federation/data/fixed-data.js';
import type { LocalData } from '../../federation/data/local-data.js';
import { ownRecords } from '../../federation/data/own-records.js';
import { federatedAdapter } from '../../federation/federated-adapter.js';
import type { MemberStore } from '../../federation/member-store.js';
import type { ParticipantEvent } from '../../federation/participant-events.js';
import type { Pin } from '../../federation/pin.js';
import { batchLimits } from '../../inference/batch-limits.js';
import { type ExamplesServer, serveExamples } from '../../intake/examples-server.js';
import { RemoteModel } from '../../model/remote-model.js';
import { SplitModel } from '../../model/split-model.js';
import { exampleOptions } from '../example-options.js';
import type { Session } from '../session.js';
import { checkFits } from '../train/advice.js';
import type { FederateFlags } from './federate-options.js';

/** A participant's data, and the port if one was asked for. */
export interface FederateData {
  readonly data: LocalData;
  /** Where examples are handed in. */
  readonly server: ExamplesServer | undefined;
  /** Keeps what the port tells of the participant up to date. */
  observe(event: ParticipantEvent): void;
  close(): Promise<void>;
}

/** Where a participant is, as its port tells: numbers and names of the protocol, no text. */
interface ParticipantStatus {
  readonly federation: string;
  readonly member: string;
  /** Round that it is in or was last in; null before the first. */
  readonly round: number | null;
  /** The promoted version that it knows; null before the first broadcast. */
  readonly version: number | null;
}

/** @throws CutlayerError INVALID_OPTION, INVALID_DATA, NOT_FOUND, IO_ERROR, CANCELLED */
export async function openFederateData(
  flags: FederateFlags,
  { bundle, connection, defences }: Session,
  { open, member }: Pick<Pin, 'open' | 'member'>,
  state: MemberStore,
  { signal, onEvent }: { readonly signal: AbortSignal; readonly onEvent: (event: ParticipantEvent) => void },
): Promise<FederateData> {
  const model = new SplitModel(bundle, new RemoteModel(connection), undefined, defences);
  const adapter = await federatedAdapter({ bundle, keyValues: (tokenIds) => model.keyValues(tokenIds, signal) }, open.manifest);
  const limits = batchLimits(model, adapter, {});
  const room = model.maxLength(adapter.numVirtualTokens);
  const examples = exampleOptions(flags, adapter, { room, ...limits }, signal, defences);
  if (!(await isDirectory(flags.data))) {
    requireFolder(flags);
    const read = async (file: string) => ownRecords(await loadExamples(file, bundle.tokenizer, examples));
    const heldOut = flags.heldOut === undefined ? [] : await read(flags.heldOut);
    const { examples: training, notes } = defences.relabelled(await read(flags.data), { classes: adapter.labels?.length, most: room });
    for (const note of notes) stderr.line(`note: ${note}`);
    for (const checked of [training, heldOut]) checkFits(checked, limits, undefined);
    const data = fixedData(training, heldOut);
    return { data, server: undefined, observe: () => undefined, close: () => data.close() };
  }
  if (flags.labelNoise !== undefined)
    throw new CutlayerError(
      'INVALID_OPTION',
      `--label-noise: --data ${flags.data} is a directory, and labels are drawn from all of the data before the first round; pass one file`,
    );
  const folder = await DataFolder.open(
    {
      directory: flags.data,
      state,
      tokenizer: bundle.tokenizer,
      // A line that the gateway would not take is rejected like any other, and the rest goes on.
      examples: { ...examples, maxLength: Math.min(examples.maxLength, limits.maxTokensPerBatch) },
      heldOutFile: flags.heldOut,
      heldOutShare: flags.heldOutShare,
      trainOn: flags.trainOn,
      rehearsal: flags.rehearsal,
      maxExamples: flags.maxExamples,
      onEvent: (event) => onEvent({ type: 'data', ...event }),
    },
    signal,
  );
  let status: ParticipantStatus = { federation: open.id, member, round: null, version: null };
  const close = async (server: ExamplesServer | undefined) => {
    await server?.close();
    await folder.close();
  };
  try {
    const server =
      flags.examplesPort === undefined
        ? undefined
        : await serveExamples({
            sink: folder,
            stateDir: flags.stateDir,
            port: flags.examplesPort,
            status: () => status,
            onFailure: ({ code, message }) => onEvent({ type: 'portFailed', code, message }),
          });
    if (server !== undefined) onEvent({ type: 'portOpen', url: server.url, tokenFile: server.tokenFile });
    return {
      data: folder,
      server,
      observe: (event) => {
        status = statusAfter(status, event);
      },
      close: () => close(server),
    };
  } catch (error) {
    await close(undefined);
    throw error;
  }
}

/** What the port tells after an event. */
function statusAfter(status: ParticipantStatus, event: ParticipantEvent): ParticipantStatus {
  switch (event.type) {
    case 'joined':
      return { ...status, round: event.round === 0 ? null : event.round, version: event.version ?? null };
    case 'round':
      return { ...status, round: event.round, ...(event.purpose === 'train' ? { version: event.version } : {}) };
    case 'promoted':
    case 'rolledBack':
      return { ...status, version: event.version };
    default:
      return status;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `--data ${path}: no such file or directory (or it cannot be read)`, { cause });
  });
  return info.isDirectory();
}

/** Refuses options of a folder for a file, which is read once. @throws CutlayerError */
function requireFolder({ data, trainOn, rehearsal, heldOutShare, maxExamples, examplesPort }: FederateFlags): void {
  const given = {
    '--train-on new': trainOn === 'new',
    '--rehearsal': rehearsal !== undefined,
    '--held-out-share': heldOutShare !== undefined,
    '--max-examples': maxExamples !== undefined,
    '--examples-port': examplesPort !== undefined,
  };
  const flag = Object.entries(given).find(([, is]) => is)?.[0];
  if (flag === undefined) return;
  throw new CutlayerError(
    'INVALID_OPTION',
    `${flag}: --data ${data} is a file, which is read once; put it into a directory and pass that as --data`,
  );
}
