/** Layouts of the federation service's requests (see message-layout.ts); a test holds them against the proto. */
import type { FieldLayout, MessageLayout } from './message-layout.js';
import { tensorLayout } from './split-layouts.js';

/** Names have at most 64 characters and ids 64 hex digits: longer ones, up to this, get the handler's clearer error. */
const MAX_TEXT_BYTES = 1024;
/** Keys have 32 bytes, signatures 64, sealed shares 80. */
const MAX_CRYPTO_BYTES = 256;
/** A manifest has at most 4 MiB; a larger one, up to this, gets the manifest's own error. */
const MAX_MANIFEST_BYTES = 8 * 1024 * 1024;

const text = (name: string): FieldLayout => ({ name, kind: 'string', maxBytes: MAX_TEXT_BYTES });
const crypto = (name: string): FieldLayout => ({ name, kind: 'bytes', maxBytes: MAX_CRYPTO_BYTES });
const number = (name: string): FieldLayout => ({ name, kind: 'uint32' });
const flag = (name: string): FieldLayout => ({ name, kind: 'varint' });
const message = (name: string, layout: MessageLayout): FieldLayout => ({ name, kind: 'message', layout });

const federation = text('federation');
const round = number('round');

const advertisementLayout: MessageLayout = {
  1: text('participant'),
  2: crypto('encryptionKey'),
  3: crypto('maskKey'),
  4: crypto('selfMaskCommitment'),
  5: crypto('context'),
  6: crypto('signature'),
};

const enlistmentLayout: MessageLayout = {
  1: message('advertisement', advertisementLayout),
  2: flag('purpose'),
  3: text('chainHead'),
  4: number('examples'),
};

const sealedSharesLayout: MessageLayout = { 1: text('from'), 2: text('to'), 3: crypto('ciphertext') };
const shareLayout: MessageLayout = { 1: text('owner'), 2: crypto('share') };
const signedManifestLayout: MessageLayout = { 1: { name: 'bytes', kind: 'bytes', maxBytes: MAX_MANIFEST_BYTES }, 2: crypto('signature') };

/** The methods of the service. */
export type FederationMethod =
  | 'GetFederation'
  | 'NextTask'
  | 'GetBroadcasts'
  | 'GetVersion'
  | 'Enlist'
  | 'ShareKeys'
  | 'Submit'
  | 'Confirm'
  | 'Unmask'
  | 'CreateFederation'
  | 'ControlFederation'
  | 'GetStatus'
  | 'GetCoordinator';

/** Request layouts by method. @param maxMembers most members of a federation, which bounds every list */
export function federationRequestLayouts(maxMembers: number): Readonly<Record<FederationMethod, MessageLayout>> {
  const confirmationLayout: MessageLayout = {
    1: text('participant'),
    2: { name: 'survivors', kind: 'strings', maxCount: maxMembers, maxBytes: MAX_TEXT_BYTES },
    3: crypto('signature'),
  };
  const revealedLayout: MessageLayout = {
    1: text('participant'),
    2: { name: 'maskKeyShares', kind: 'messages', maxCount: maxMembers, layout: shareLayout },
    3: { name: 'selfMaskShares', kind: 'messages', maxCount: maxMembers, layout: shareLayout },
    4: crypto('signature'),
  };
  return {
    GetFederation: { 1: federation },
    NextTask: {
      1: federation,
      2: number('waitMs'),
      3: number('broadcastsKnown'),
      4: flag('newExamplesReady'),
      5: flag('canEvaluate'),
      6: number('doneRound'),
      7: flag('doneStage'),
    },
    GetBroadcasts: { 1: federation, 2: number('from') },
    GetVersion: { 1: federation, 2: number('version') },
    Enlist: { 1: federation, 2: round, 3: message('enlistment', enlistmentLayout) },
    ShareKeys: { 1: federation, 2: round, 3: { name: 'shares', kind: 'messages', maxCount: maxMembers, layout: sealedSharesLayout } },
    Submit: { 1: federation, 2: round, 3: { name: 'payload', kind: 'bytes' } },
    Confirm: { 1: federation, 2: round, 3: message('confirmation', confirmationLayout) },
    Unmask: { 1: federation, 2: round, 3: message('revealed', revealedLayout) },
    CreateFederation: { 1: message('manifest', signedManifestLayout), 2: message('parameters', tensorLayout) },
    ControlFederation: { 1: federation, 2: flag('start'), 3: flag('pause'), 4: flag('finish'), 5: number('rollback') },
    GetStatus: { 1: federation },
    GetCoordinator: {},
  };
}
