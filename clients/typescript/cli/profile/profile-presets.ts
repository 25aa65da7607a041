/** The options that a profile gives a command. */
import { resolve } from 'node:path';
import type { Presets } from '../../../../src/options/option.js';
import { DEFAULT_PROFILE } from './profile-name.js';
import { findProfile, readProfile } from './profile-store.js';

/**
 * CA, token, client certificate and `insecure` belong to the profile's gateway: another gets none.
 * CA and `insecure` go together, and a certificate and its key: where one is given, the profile's
 * are left out.
 * @param given What flags, environment and file give, by name.
 * @throws CutlayerError NOT_FOUND for a named profile, INVALID_OPTION
 */
export async function profilePresets(
  name: string | undefined,
  given: Readonly<Record<string, unknown>>,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Presets | undefined> {
  const profile = name === undefined ? await findProfile(DEFAULT_PROFILE) : await readProfile(name);
  if (profile === undefined) return undefined;
  const { bundle, gateway, ca, tokenFile, clientCert, clientKey, insecure, signer } = profile;
  const values: Record<string, unknown> = { bundle, gateway };
  // A public key belongs to the bundle that it has signed.
  if (given.bundle === undefined || resolve(String(given.bundle)) === bundle) values.signer = signer;
  if (given.gateway === undefined || given.gateway === gateway) {
    if (given.insecure === undefined && given.ca === undefined) Object.assign(values, { ca, insecure });
    if (given.clientCert === undefined && given.clientKey === undefined) Object.assign(values, { clientCert, clientKey });
    // The environment comes before a profile, and this variable is the token itself.
    if ((environment.CUTLAYER_TOKEN ?? '') === '') values.tokenFile = tokenFile;
  }
  return { name: `profile ${name ?? DEFAULT_PROFILE}`, values };
}
