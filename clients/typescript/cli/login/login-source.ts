/** The connection that a login keeps: of its flags, or of the vendor's file. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { loadClientBundle } from '../../../../src/artifacts/store.js';
import { CutlayerError } from '../../../../src/errors.js';
import { readAuthority } from '../../connection/channel-credentials.js';
import { type CertificateOptions, readClientCertificate } from '../../connection/client-certificate.js';
import type { TokenOptions } from '../../connection/token-source.js';
import { tokenOptions } from '../session.js';
import type { LoginFlags } from './login-options.js';
import { type Onboarding, readOnboarding } from './onboarding-file.js';

/** A connection before it is checked and kept; its client certificate as PEM, or as paths. */
export interface LoginSource extends CertificateOptions {
  /** Absolute path. */
  readonly bundle: string;
  readonly gateway: string;
  /** PEM text; undefined for the system's authorities. */
  readonly ca: string | undefined;
  readonly token: TokenOptions;
}

/**
 * Reads flags or file.
 * @throws CutlayerError INVALID_OPTION, INVALID_ARGUMENT, NOT_FOUND, INVALID_CONFIG, TOKEN_MISSING,
 *   DIGEST_MISMATCH when the bundle is not the one that the vendor's file names
 */
export async function loginSource(flags: LoginFlags): Promise<LoginSource> {
  const certificate = await ownCertificate(flags);
  if (flags.from !== undefined) return { ...(await fromFile(await readOnboarding(flags.from), flags)), ...certificate };
  const { bundle, gateway, ca, insecure } = flags;
  if (bundle === undefined || gateway === undefined)
    throw new CutlayerError(
      'INVALID_OPTION',
      'login: expected --bundle DIR and --gateway HOST:PORT, or --from FILE with the file that the vendor made',
    );
  if (ca !== undefined && insecure) throw new CutlayerError('INVALID_ARGUMENT', `connect ${gateway}: either a CA or insecure, not both`);
  return {
    bundle: resolve(bundle),
    gateway,
    ca: ca === undefined ? undefined : (await readAuthority(ca, 'gateway')).toString('utf8'),
    token: tokenOptions(flags.tokenFile, 'CUTLAYER_TOKEN', 'no access token: pass --token-file'),
    ...certificate,
  };
}

/** The flags' own pair, by paths that a profile can keep. */
async function ownCertificate({ clientCert, clientKey }: LoginFlags): Promise<CertificateOptions> {
  if ((await readClientCertificate({ clientCert, clientKey })) === undefined) return {};
  return { clientCert: resolve(clientCert!), clientKey: resolve(clientKey!) };
}

async function fromFile({ bundle: named, gateway, ca, token, client, certificate }: Onboarding, flags: LoginFlags): Promise<LoginSource> {
  const bundle = resolve(flags.bundle ?? named.path ?? '');
  const given = flags.bundle !== undefined || named.path !== undefined;
  if (!given || (await stat(bundle).catch(() => undefined)) === undefined) {
    const where = named.url === undefined ? 'get the client bundle from the vendor' : `get the client bundle from ${named.url}`;
    const missing = given ? `${bundle}: no client bundle there` : 'the client bundle is not in the file';
    throw new CutlayerError('NOT_FOUND', `${missing}; ${where}, unpack it, and pass --bundle DIR`);
  }
  const { manifestSha256 } = named;
  if (manifestSha256 !== undefined) {
    const { digest } = await loadClientBundle(bundle, { verify: false });
    if (digest !== manifestSha256)
      throw new CutlayerError(
        'DIGEST_MISMATCH',
        `${bundle}: the vendor's file names the bundle with manifest ${manifestSha256.slice(0, 12)}, this one has ${digest.slice(0, 12)}; get that bundle`,
      );
  }
  return {
    ...{ bundle, gateway, ca },
    token: client === undefined ? { token: token! } : { credentials: client }, // readOnboarding has one of them
    ...(certificate !== undefined && { clientCert: certificate.cert, clientKey: certificate.key }),
  };
}
