/** The work of `cutlayer gateway onboard`. */
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Onboarding, writeOnboarding } from '../../../clients/typescript/cli/login/onboarding-file.js';
import { checkAddress, hostOf } from '../../../clients/typescript/connection/server-address.js';
import { loadClientBundle } from '../../artifacts/store.js';
import { CutlayerError } from '../../errors.js';
import { stderr, stdout } from '../../files/output.js';
import { isLoopback } from '../../protocol/wire/loopback.js';
import { openIdentity } from '../../server/auth/identity.js';
import { issueToken } from '../../server/auth/issuer.js';
import { KeyRing } from '../../server/auth/key-ring.js';
import { parseScopes } from '../../server/auth/scopes.js';
import { parseTtl } from '../../server/auth/ttl.js';
import { openAdminConnection } from './admin-connection.js';
import { issueClientCertificate } from './client-certificate.js';
import type { OnboardFlags } from './onboard-options.js';
import { registerWithKey, requireOwnIssuer } from './run-client.js';

/** How the customer gets its tokens, and the end of them in words. */
interface Access {
  readonly content: Pick<Onboarding, 'client' | 'token'>;
  readonly says: string;
}

/**
 * @throws CutlayerError INVALID_OPTION, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS,
 *   INVALID_ARTIFACT, IO_ERROR
 */
export async function runOnboard(tenant: string, flags: OnboardFlags): Promise<void> {
  const { out, address, bundle, bundleUrl, stateDir, clientCertificate, days } = flags;
  checkAddress(address, 'gateway');
  // Before a client is registered for a file that cannot be written.
  if ((await stat(out).catch(() => undefined)) !== undefined)
    throw new CutlayerError('ALREADY_EXISTS', `${out}: there is a file already, perhaps with a key that is in use; give another --out`);
  const ca = await authority(flags);
  const artifact = bundle === undefined ? undefined : await loadClientBundle(bundle);
  const certificate = clientCertificate ? await issueClientCertificate(stateDir, tenant, days) : undefined;
  const { content, says } = flags.staticToken ? await staticToken(tenant, flags) : await credentials(tenant, flags);
  await writeOnboarding(out, {
    tenant,
    gateway: address,
    ...(ca !== undefined && { ca }),
    ...content,
    ...(certificate !== undefined && { certificate }),
    bundle: {
      ...(bundleUrl !== undefined && { url: bundleUrl }),
      // With a URL the path on this machine says nothing to the customer.
      ...(artifact !== undefined && bundleUrl === undefined && { path: artifact.dir }),
      ...(artifact !== undefined && { manifestSha256: artifact.digest }),
    },
  });
  stdout.line(`wrote ${resolve(out)} for ${tenant}: ${says}`);
  stderr.line(
    `It is a secret. ${tenant} runs: cutlayer client login --from FILE${artifact !== undefined && bundleUrl === undefined ? '' : ' --bundle DIR'}`,
  );
}

async function staticToken(tenant: string, { scope, ttl, stateDir, keysDir = stateDir }: OnboardFlags): Promise<Access> {
  const request = { tenant, scopes: parseScopes(scope), ttlSeconds: parseTtl(ttl) };
  const ring = await KeyRing.open(keysDir);
  if (ring.isNew) stderr.line(`note: made new keys in ${keysDir}; only a gateway started with this directory takes the token`);
  const now = Date.now();
  const token = await issueToken(ring, await openIdentity(keysDir, {}, 'gateway'), request, now);
  const until = new Date(now + request.ttlSeconds * 1000).toISOString().slice(0, 10);
  return { content: { token }, says: `its token is good until ${until}` };
}

async function credentials(tenant: string, flags: OnboardFlags): Promise<Access> {
  const scopes = parseScopes(flags.scope);
  const running = await openAdminConnection(flags);
  requireOwnIssuer(running);
  const tokenUrl = flags.tokenUrl ?? (running && `${running.url}/oauth2/token`);
  const elsewhere = !isLoopback(hostOf(flags.address));
  if (tokenUrl === undefined || (elsewhere && isLoopback(new URL(tokenUrl).hostname.replace(/^\[|\]$/g, ''))))
    throw new CutlayerError(
      'INVALID_OPTION',
      `--token-url: expected the address of the token endpoint as ${tenant} reaches it, such as https://vendor.example:8080/oauth2/token; ` +
        `${tokenUrl === undefined ? 'no gateway runs with --state-dir' : `${tokenUrl} is for this machine only`}; or pass --static-token`,
    );
  const client = await registerWithKey(tenant, scopes, tokenUrl, { ...flags, running });
  return { content: { client }, says: `client ${client.clientId} with a key, which gets its tokens at ${tokenUrl}` };
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
