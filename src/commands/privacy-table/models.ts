/** The models of a table: one for each cut, behind a gateway, or with one in this process. */
import { join } from 'node:path';
import { checkPadding, openDefences } from '../../../clients/typescript/cli/open-defences.js';
import { openSession, type Session } from '../../../clients/typescript/cli/session.js';
import type { ResolvedTrainFlags } from '../../../clients/typescript/cli/train/prepare-training.js';
import type { Connection } from '../../../clients/typescript/connection/connect.js';
import type { RetryNotice } from '../../../clients/typescript/connection/retry.js';
import { ClientBundle } from '../../../clients/typescript/model/client-bundle.js';
import { CutlayerError } from '../../errors.js';
import { openOwnGateway } from '../own-gateway.js';
import type { PrivacyTableFlags } from './privacy-options.js';

/** How a model is reached. */
export interface ModelPlace {
  readonly bundle: string;
  /** Undefined: `backbone` is served in this process. */
  readonly gateway?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly backbone?: string | undefined;
}

/** A model, by what its bundle says. */
export interface Model extends ModelPlace {
  readonly cut: { readonly bottom: number; readonly top: number };
  readonly backboneDigest: string;
}

/** @throws CutlayerError INVALID_OPTION for none, or bundles without a gateway each */
export function modelPlaces({ packed, bundle, gateway, tokenFile }: PrivacyTableFlags): readonly ModelPlace[] {
  if (bundle.length !== gateway.length)
    throw new CutlayerError(
      'INVALID_OPTION',
      `--bundle and --gateway: expected one gateway for each bundle, got ${bundle.length} and ${gateway.length}`,
    );
  if (tokenFile.length > 1 && tokenFile.length !== gateway.length)
    throw new CutlayerError(
      'INVALID_OPTION',
      `--token-file: expected one, or one for each of ${gateway.length} gateways, got ${tokenFile.length}`,
    );
  const places = [
    ...packed.map((dir) => ({ bundle: join(dir, 'client-bundle'), backbone: join(dir, 'backbone') })),
    ...bundle.map((dir, at) => ({ bundle: dir, gateway: gateway[at]!, tokenFile: tokenFile[at] ?? tokenFile[0] })),
  ];
  if (places.length === 0)
    throw new CutlayerError('INVALID_OPTION', 'no model: pass --packed with what cutlayer pack wrote, or --bundle and --gateway');
  return places;
}

/** Reads the cuts. @throws CutlayerError INVALID_OPTION for two of a cut; of artifacts */
export async function readModels(places: readonly ModelPlace[], { verify, signer }: PrivacyTableFlags): Promise<readonly Model[]> {
  const models: Model[] = [];
  for (const place of places) {
    const bundle = await ClientBundle.open(place.bundle, { verify, signer, threads: 1 });
    const { bottom, top } = bundle.dims;
    const { backboneDigest } = bundle.identity;
    await bundle.close();
    const same = models.find(({ cut }) => cut.bottom === bottom && cut.top === top);
    if (same !== undefined)
      throw new CutlayerError(
        'INVALID_OPTION',
        `${place.bundle}: its cut (k = ${bottom}, m = ${top}) is that of ${same.bundle}; leave one out`,
      );
    models.push({ ...place, cut: { bottom, top }, backboneDigest });
  }
  return models;
}

/** What a session needs beside its model. */
export interface Opening {
  readonly flags: ResolvedTrainFlags;
  /** Of a gateway in this process. */
  readonly stateDir: string;
  readonly signal: AbortSignal;
  onRetry(notice: RetryNotice): void;
}

/** Opens a model under the defences of some flags. @throws CutlayerError of artifact, calls */
export async function openModel({ backbone }: ModelPlace, { flags, stateDir, signal, onRetry }: Opening): Promise<Session> {
  if (backbone === undefined) return openSession(flags, signal, onRetry);
  const { verify, threads, signer, chatTemplate, wire, shareText } = flags;
  const bundle = await ClientBundle.open(flags.bundle, { verify, threads, signer, chatTemplate });
  let close: () => Promise<void> = () => bundle.close();
  try {
    const gateway = await openOwnGateway(
      { backbone, stateDir, insecure: true, audit: 'none', threads, signer },
      { tenant: 'client', scopes: ['model:read', 'train', 'infer'] },
      { wireDtype: wire, shareText, signal },
    );
    close = async () => {
      await gateway.close();
      await bundle.close();
    };
    const connection: Connection = gateway.connection;
    const defences = await openDefences(flags, bundle);
    checkPadding(defences, connection.card);
    return { bundle, connection, drafter: undefined, defences, close };
  } catch (error) {
    await close();
    throw error;
  }
}
