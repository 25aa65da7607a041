/** The work of `cutlayer gateway onboard`. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeOnboarding } from '../../../clients/typescript/cli/login/onboarding-file.js';
import { checkAddress } from '../../../clients/typescript/connection/server-address.js';
import { loadClientBundle } from '../../artifacts/store.js';
import { CutlayerError } from '../../errors.js';
import { stderr, stdout } from '../../files/output.js';
import { openIdentity } from '../../server/auth/identity.js';
import { issueToken } from '../../server/auth/issuer.js';
import { KeyRing } from '../../server/auth/key-ring.js';
import { parseScopes } from '../../server/auth/scopes.js';
import { parseTtl } from '../../server/auth/ttl.js';
import type { OnboardFlags } from './onboard-options.js';

/** @throws CutlayerError INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, INVALID_ARTIFACT, IO_ERROR */
export async function runOnboard(tenant: string, flags: OnboardFlags): Promise<void> {
  const { out, address, bundle, bundleUrl, scope, ttl, stateDir, keysDir = stateDir } = flags;
  checkAddress(address, 'gateway');
  const request = { tenant, scopes: parseScopes(scope), ttlSeconds: parseTtl(ttl) };
  const ca = await authority(flags);
  const artifact = bundle === undefined ? undefined : await loadClientBundle(bundle);
  const ring = await KeyRing.open(keysDir);
  if (ring.isNew) stderr.line(`note: made new keys in ${keysDir}; only a gateway started with this directory takes the token`);
  const now = Date.now();
  const token = await issueToken(ring, await openIdentity(keysDir, {}, 'gateway'), request, now);
  await writeOnboarding(out, {
    tenant,
    gateway: address,
    ...(ca !== undefined && { ca }),
    token,
    bundle: {
      ...(bundleUrl !== undefined && { url: bundleUrl }),
      // With a URL the path on this machine says nothing to the customer.
      ...(artifact !== undefined && bundleUrl === undefined && { path: artifact.dir }),
      ...(artifact !== undefined && { manifestSha256: artifact.digest }),
    },
  });
  const until = new Date(now + request.ttlSeconds * 1000).toISOString().slice(0, 10);
  stdout.line(`wrote ${resolve(out)} for ${tenant}: its token is good until ${until}`);
  stderr.line(
    `It is a secret. ${tenant} runs: cutlayer client login --from FILE${artifact !== undefined && bundleUrl === undefined ? '' : ' --bundle DIR'}`,
  );
}

async function authority({ ca, publicCertificate, stateDir }: OnboardFlags): Promise<string | undefined> {
  if (publicCertificate && ca !== undefined)
    throw new CutlayerError('INVALID_OPTION', 'onboard: expected either --ca or --public-certificate, got both');
  if (publicCertificate) return undefined;
  const file = ca ?? join(stateDir, 'ca.pem');
  const pem = await readFile(file, 'utf8').catch((cause: unknown) => {
    const next =
      ca === undefined ? 'start the gateway once with this --state-dir, or pass --ca FILE or --public-certificate' : 'is its path right?';
    throw new CutlayerError('NOT_FOUND', `${file}: no CA file; ${next}`, { cause });
  });
  if (!pem.includes('-----BEGIN CERTIFICATE-----') || pem.includes('PRIVATE KEY-----'))
    throw new CutlayerError('INVALID_ARGUMENT', `${file}: expected a PEM file with certificates and no private key`);
  return pem;
}
