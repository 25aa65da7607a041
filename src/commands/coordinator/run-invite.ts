/** The work of `cutlayer coordinator invite`: one private file for each member. */
import { mkdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Invite, writeInvite } from '../../../clients/typescript/cli/federate/invite-file.js';
import { readAuthority } from '../../../clients/typescript/connection/channel-credentials.js';
import { checkAddress, hostOf } from '../../../clients/typescript/connection/server-address.js';
import { localCoordinator } from '../../coordinator/local-server.js';
import { CutlayerError } from '../../errors.js';
import { stderr, stdout } from '../../files/output.js';
import { type OpenManifest, openManifest } from '../../protocol/federation/manifest.js';
import { signedCodec } from '../../protocol/federation/message-codec.js';
import { isLoopback } from '../../protocol/wire/loopback.js';
import { openIdentity } from '../../server/auth/identity.js';
import { issueToken } from '../../server/auth/issuer.js';
import { KeyRing } from '../../server/auth/key-ring.js';
import { parseTtl } from '../../server/auth/ttl.js';
import { allReports, openFounderConnection, pickFederation } from './founder-connection.js';
import type { InviteFlags } from './invite-options.js';

type Token = Pick<Invite, 'token' | 'expiresAt' | 'tokenFrom'>;

/** @throws CutlayerError NOT_A_MEMBER, NOT_FOUND, ALREADY_EXISTS, INVALID_*, IO_ERROR */
export async function runInvite(names: readonly string[], flags: InviteFlags): Promise<void> {
  const { out, ttl, gateway, bundleUrl, json } = flags;
  const ttlSeconds = parseTtl(ttl);
  if (gateway !== undefined) checkAddress(gateway, 'gateway');
  if (gateway === undefined && flags.gatewayCa !== undefined)
    throw new CutlayerError('INVALID_OPTION', '--gateway-ca: expected --gateway too, whose authority it is');
  const gatewayCa = await pem(flags.gatewayCa, 'gateway');
  const open = await manifestOf(flags);
  const { manifest, id: federation } = open;
  const coordinator = await reached(flags);
  const files = names.map((name) => ({ name, file: join(out, `${name}.invite`), publicKey: memberKey(open, name) }));
  await requireFree(files.map(({ file }) => file));
  const tokens = await tokenMaker(flags, ttlSeconds);
  await mkdir(out, { recursive: true });
  for (const { name: member, file, publicKey } of files) {
    await writeInvite(file, {
      federation,
      name: manifest.settings.name,
      member,
      publicKey,
      backboneDigest: manifest.backboneDigest,
      coordinator,
      ...(await tokens(member)),
      ...(gateway !== undefined && { gateway: { address: gateway, ...(gatewayCa !== undefined && { ca: gatewayCa }) } }),
      ...(bundleUrl !== undefined && { bundleUrl }),
    });
    if (json) stdout.json({ event: 'invited', federation, member, file: resolve(file) });
    else stdout.line(`wrote ${resolve(file)} for ${member}`);
  }
  if (json) return;
  stderr.line(
    'Each file is a secret of its member, and good with its identity alone. The member runs: ' +
      'cutlayer client federate --invite FILE --data FILE --held-out FILE',
  );
  if (isLoopback(hostOf(coordinator.address)))
    stderr.line(`note: ${coordinator.address} is reached from this machine alone; pass --address for members elsewhere`);
}

async function manifestOf(flags: InviteFlags): Promise<OpenManifest> {
  const connection = await openFounderConnection(flags);
  try {
    const { federation } = pickFederation(await allReports(connection), flags.federation);
    const { manifest } = await connection.call('GetFederation', { federation });
    return openManifest(signedCodec.value(manifest, 'manifest'), federation);
  } finally {
    connection.close();
  }
}

/** @throws CutlayerError NOT_A_MEMBER naming the roster */
function memberKey({ manifest }: OpenManifest, name: string): string {
  const found = manifest.members.find((member) => member.name === name);
  if (found !== undefined) return found.publicKey;
  const roster = manifest.members.map((member) => member.name);
  const more = roster.length > 20 ? ' …' : '';
  throw new CutlayerError(
    'NOT_A_MEMBER',
    `${name} is not on the roster of ${manifest.settings.name}: ${roster.slice(0, 20).join(', ')}${more}`,
  );
}

/** All or none: a second call would find some of them. @throws CutlayerError ALREADY_EXISTS */
async function requireFree(files: readonly string[]): Promise<void> {
  const twice = files.find((file, at) => files.indexOf(file) !== at);
  if (twice !== undefined) throw new CutlayerError('INVALID_OPTION', `${twice}: the member is named twice`);
  for (const file of files)
    if ((await stat(file).catch(() => undefined)) !== undefined)
      throw new CutlayerError(
        'ALREADY_EXISTS',
        `${file}: there is a file already, perhaps with a token that is still good; remove it, or give another --out`,
      );
}

/** The coordinator as members reach it. */
async function reached({ address, coordinator, ca, insecure, stateDir }: InviteFlags): Promise<Invite['coordinator']> {
  const local = coordinator === undefined ? await localCoordinator.read(stateDir) : undefined;
  const plain = local?.insecure ?? insecure;
  const authority = plain ? undefined : await pem(ca ?? local?.caFile ?? undefined, 'coordinator');
  const where = address ?? coordinator ?? local?.address;
  if (where === undefined) throw new CutlayerError('INVALID_OPTION', '--address: expected where members reach the coordinator');
  checkAddress(where, 'coordinator');
  return { address: where, ...(authority !== undefined && { ca: authority }), ...(plain && { insecure: true }) };
}

async function pem(file: string | undefined, role: 'gateway' | 'coordinator'): Promise<string | undefined> {
  return file === undefined ? undefined : (await readAuthority(file, role)).toString('utf8');
}

/** Tokens of the keys in the state directory; without keys, how to get one. */
async function tokenMaker({ stateDir, tokenFrom }: InviteFlags, ttlSeconds: number): Promise<(member: string) => Promise<Token>> {
  const ring = tokenFrom === undefined ? await KeyRing.openExisting(stateDir) : undefined;
  if (ring === undefined) {
    if (tokenFrom !== undefined) return async () => ({ tokenFrom });
    throw new CutlayerError(
      'TOKEN_MISSING',
      `${stateDir} holds no keys to issue tokens with: run it on the coordinator's machine, or say with --token-from how a member gets a token`,
    );
  }
  const identity = await openIdentity(stateDir, {}, 'coordinator');
  return async (member) => {
    const now = Date.now();
    const token = await issueToken(ring, identity, { tenant: member, scopes: ['federate'], ttlSeconds }, now);
    return { token, expiresAt: now + ttlSeconds * 1000 };
  };
}
