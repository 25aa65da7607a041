/**
 * Makes a federation: settings, roster and the adapter's first values become a signed manifest,
 * which the coordinator takes on.
 */
import { createAdapter, defaultLearningRate } from '../../../clients/typescript/adapters/registry.js';
import type { MethodSettingsInput } from '../../../clients/typescript/adapters/setting-table.js';
import { flatValues, parametersOf } from '../../../clients/typescript/federation/federated-adapter.js';
import { ClientBundle } from '../../../clients/typescript/model/client-bundle.js';
import { CutlayerError } from '../../errors.js';
import { type OpenManifest, parametersDigest, signManifest } from '../../protocol/federation/manifest.js';
import type { FederationSettings } from '../../protocol/federation/settings.js';
import type { IdentityKey } from '../../protocol/secagg/signature.js';
import { encodeTensor } from '../../protocol/wire/tensor-codec.js';
import { f32 } from '../../tensor/tensor.js';
import type { FounderConnection } from './founder-connection.js';
import type { Member } from './roster.js';
import type { GivenSettings } from './settings-input.js';

/** What a federation is made of. */
export interface Founding {
  readonly given: GivenSettings;
  readonly members: readonly Member[];
  /** Directory of a client bundle. */
  readonly bundle: string;
  /** The public key that must have signed its manifest. */
  readonly signer?: string | undefined;
  readonly founder: IdentityKey;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * The settings of the manifest: where no learning rate was given, the method's own. @throws
 * CutlayerError INVALID_ARGUMENT (method)
 */
export function foundingSettings({ settings, isGiven }: GivenSettings): FederationSettings {
  if (isGiven('training', 'learningRate')) return settings;
  const { method, settings: methodSettings } = settings.adapter;
  const learningRate = defaultLearningRate(method, methodSettings as MethodSettingsInput);
  return { ...settings, training: { ...settings.training, learningRate } };
}

/** Makes manifest and version 0, and gives them to the coordinator. @throws CutlayerError */
export async function createFederation(connection: FounderConnection, founding: Founding): Promise<OpenManifest> {
  const { publicKey } = await connection.call('GetCoordinator', {});
  const { open, values } = await foundingManifest({ ...founding, coordinatorKey: publicKey });
  const { federation } = await connection.call('CreateFederation', {
    manifest: { bytes: open.bytes, signature: open.signature },
    parameters: encodeTensor(f32([values.length], values), 'f32', 'version 0'),
  });
  if (federation === open.id) return open;
  throw new CutlayerError('INTERNAL', `the coordinator answered federation ${federation}, expected ${open.id}`);
}

/**
 * The signed manifest, and the values of version 0, for a coordinator of a known key.
 * @throws CutlayerError INVALID_ARGUMENT (adapter), INVALID_CONFIG (what does not go together),
 *   NOT_FOUND (bundle)
 */
export async function foundingManifest({
  given,
  members,
  bundle: dir,
  signer,
  founder,
  now,
  coordinatorKey,
}: Founding & { readonly coordinatorKey: Uint8Array }): Promise<{ readonly open: OpenManifest; readonly values: Float32Array }> {
  const settings = foundingSettings(given);
  const { method, settings: methodSettings } = settings.adapter;
  const bundle = await ClientBundle.open(dir, { signer });
  try {
    // createAdapter checks them: in the manifest they are whatever a founder has written.
    const adapter = await createAdapter({ bundle }, method, methodSettings as MethodSettingsInput);
    const values = flatValues(adapter);
    const manifest = {
      formatVersion: 1,
      createdAt: new Date(now).toISOString(),
      founderKey: hex(founder.publicKey),
      coordinatorKey: hex(coordinatorKey),
      backboneDigest: bundle.manifest.backboneDigest,
      settings,
      parameters: parametersOf(adapter),
      initialDigest: parametersDigest(values),
      members,
    };
    return { open: signManifest(manifest, founder.privateKey), values };
  } finally {
    await bundle.close();
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
