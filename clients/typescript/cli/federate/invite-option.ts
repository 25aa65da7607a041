/** The option that takes a federation and its coordinator from the founder's file. */
import { CutlayerError } from '../../../../src/errors.js';
import { type OptionRow, optional, type Presets, path } from '../../../../src/options/option.js';
import { ownIdentity, ownStateDir } from '../profile/home-dir.js';

/**
 * Coordinator and CA go together, and so do gateway and CA: another address gets no CA of the file.
 * A profile that is named comes before what the founder says of the gateway.
 * @throws CutlayerError NOT_FOUND, INVALID_CONFIG, INVALID_OPTION (another federation)
 */
async function invitePresets(file: string | undefined, given: Readonly<Record<string, unknown>>): Promise<Presets | undefined> {
  if (file === undefined) return undefined;
  const { readInvite } = await import('./invite-file.js');
  const { federation, coordinator, gateway } = await readInvite(file);
  if (given.federation !== undefined && given.federation !== federation)
    throw new CutlayerError(
      'INVALID_OPTION',
      `--federation ${String(given.federation)}: the invite ${file} is to federation ${federation}`,
    );
  const values: Record<string, unknown> = {
    federation,
    coordinator: coordinator.address,
    identity: ownIdentity(),
    stateDir: ownStateDir(federation),
  };
  const same = given.coordinator === undefined || given.coordinator === coordinator.address;
  if (same && given.coordinatorCa === undefined && given.coordinatorInsecure === undefined)
    Object.assign(values, { coordinatorCa: coordinator.ca, coordinatorInsecure: coordinator.insecure });
  if (gateway !== undefined && given.profile === undefined) {
    values.gateway = gateway.address;
    const its = given.gateway === undefined || given.gateway === gateway.address;
    if (its && given.ca === undefined && given.insecure === undefined) values.ca = gateway.ca;
  }
  return { name: `invite ${file}`, values };
}

const row = optional(
  path(
    'file',
    'what the founder made with cutlayer coordinator invite: federation, coordinator, CA, token; the flags below then replace parts of it',
  ),
);

export const inviteOption: OptionRow<string | undefined, string> = { ...row, presets: invitePresets };
