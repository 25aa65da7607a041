/** A founder's connection: by the state directory on its own machine, else by address and token. */
import { type ClientCertificate, readClientCertificate } from '../../../clients/typescript/connection/client-certificate.js';
import { type MethodsOf, openChannel, type RpcChannel } from '../../../clients/typescript/connection/rpc-channel.js';
import type { FederationReport } from '../../coordinator/coordinator-api.js';
import { localCoordinator } from '../../coordinator/local-server.js';
import { reportOf } from '../../coordinator/service/reports.js';
import { CutlayerError } from '../../errors.js';
import { loadFederationService } from '../../protocol/wire/federation-service.js';
import type { FederationDefinition } from '../../protocol/wire/generated/cutlayer/v1/Federation.js';
import { openIdentity } from '../../server/auth/identity.js';
import { issueToken } from '../../server/auth/issuer.js';
import { KeyRing } from '../../server/auth/key-ring.js';
import { thumbprintOfPem } from '../../server/tls/client-certificate.js';
import type { FounderFlags } from './founder-options.js';

/** The channel. */
export type FounderConnection = RpcChannel<MethodsOf<FederationDefinition>>;

/** Life of the token that a command on the coordinator's own machine makes for itself. */
const TOKEN_SECONDS = 300;
/** A coordinator that does not answer a person is rather a wrong address than a restart. */
const RETRY_FOR_MS = 5000;

/** @throws CutlayerError NOT_FOUND, TOKEN_MISSING, INVALID_ARGUMENT, IO_ERROR */
export async function openFounderConnection(flags: FounderFlags, now: () => number = Date.now): Promise<FounderConnection> {
  const { stateDir: dir, coordinator, insecure } = flags;
  const server = coordinator === undefined ? await localServer(dir) : { address: coordinator, insecure };
  // Read once: the token is bound to the certificate that the channel shows.
  const certificate = await readClientCertificate(flags);
  const ca = flags.ca ?? ('caFile' in server && server.caFile !== null ? server.caFile : undefined);
  return openChannel(loadFederationService().service, 'coordinator', {
    address: server.address,
    insecure: server.insecure,
    ...(ca === undefined ? {} : { ca }),
    clientCert: certificate?.cert,
    clientKey: certificate?.key,
    ...(await tokenOptions(flags, { dir, certificate, now })),
    retry: { retryForMs: RETRY_FOR_MS },
    deadlineMs: 60_000,
  });
}

async function localServer(dir: string) {
  const server = await localCoordinator.read(dir);
  if (server !== undefined) return server;
  throw new CutlayerError(
    'NOT_FOUND',
    `${dir}: no coordinator is running with this state directory; start it with cutlayer coordinator serve, or say where it is: --coordinator host:port`,
  );
}

interface TokenMaking {
  readonly dir: string;
  readonly certificate: ClientCertificate | undefined;
  readonly now: () => number;
}

async function tokenOptions({ tokenFile }: FounderFlags, { dir, certificate, now }: TokenMaking) {
  if (tokenFile !== undefined) return { tokenFile };
  const fromEnvironment = process.env.CUTLAYER_TOKEN;
  if (fromEnvironment !== undefined && fromEnvironment !== '') return { token: fromEnvironment };
  // A user that may read the key ring may issue itself any token: this is no more than that.
  const ring = await KeyRing.openExisting(dir);
  if (ring === undefined) {
    throw new CutlayerError(
      'TOKEN_MISSING',
      `no access token: pass --token-file (cutlayer coordinator token --admin NAME makes one), or run on the coordinator's machine; ${dir} holds no keys`,
    );
  }
  const identity = await openIdentity(dir, {}, 'coordinator');
  const cnf = certificate && { 'x5t#S256': thumbprintOfPem(certificate.cert) };
  const request = { tenant: 'founder', scopes: ['admin'] as const, ttlSeconds: TOKEN_SECONDS, cnf };
  // A provider: `status --watch` outlives a token.
  return { tokenProvider: async () => issueToken(ring, identity, request, now()) };
}

/** Reports of all federations. @throws CutlayerError */
export async function allReports(connection: FounderConnection): Promise<readonly FederationReport[]> {
  return (await connection.call('GetStatus', {})).federations.map(reportOf);
}

/**
 * The one that is meant: by id, by the beginning of it, by name, or the only one.
 * @throws CutlayerError NOT_FOUND saying which there are
 */
export function pickFederation(reports: readonly FederationReport[], wanted: string | undefined): FederationReport {
  const found = wanted === undefined ? reports : reports.filter(({ federation, name }) => name === wanted || isPrefix(wanted, federation));
  if (found.length === 1) return found[0]!;
  if (reports.length === 0) {
    throw new CutlayerError('NOT_FOUND', 'the coordinator has no federation yet; make one with cutlayer coordinator create');
  }
  const list = reports.map(({ federation, name }) => `${federation.slice(0, 12)} (${name})`).join(', ');
  const what = wanted === undefined ? 'there are several' : found.length > 1 ? `${wanted} means several` : `there is no ${wanted}`;
  throw new CutlayerError('NOT_FOUND', `--federation: ${what}; expected one of ${list}`);
}

function isPrefix(wanted: string, federation: string): boolean {
  return wanted.length >= 4 && federation.startsWith(wanted);
}
