/**
 * Orders to the gateway that runs with a state directory, over its admin port. A token is made with
 * the directory's keys: a user that may read them may issue itself any token. Where an external
 * issuer makes the tokens, the operator passes one.
 */
import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { z } from 'zod';
import { type Authorize, httpAuthorization } from '../../../clients/typescript/connection/http-authorization.js';
import { CutlayerError, isErrorCode } from '../../errors.js';
import { parseJson } from '../../files/json-text.js';
import { type LocalServer, localGateway } from '../../gateway/local-server.js';
import { openIdentity } from '../../server/auth/identity.js';
import { issueToken } from '../../server/auth/issuer.js';
import { KeyRing } from '../../server/auth/key-ring.js';

/** A running gateway. */
export interface AdminConnection {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  /** The external issuer whose tokens it takes; null where it issues its own. */
  readonly externalIssuer: string | null;
  /**
   * One request; resolves with the answer's JSON, or undefined when it has none.
   * @throws CutlayerError what the gateway said; UNAVAILABLE
   */
  request(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: `/${string}`, body?: unknown): Promise<unknown>;
}

const TOKEN_SECONDS = 60;
const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 64 * 2 ** 20;

const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** Which gateway, and how to get in. */
export interface AdminPlace {
  readonly stateDir: string;
  /** A token with the scope `admin`, or a client's credentials. Default: a token is made here. */
  readonly tokenFile?: string | undefined;
}

/**
 * The gateway that runs with a state directory; undefined when none does.
 * @throws CutlayerError IO_ERROR, CERTIFICATE_REJECTED; TOKEN_MISSING where an external issuer
 *   makes the tokens and none is passed
 */
export async function openAdminConnection(place: AdminPlace, now: () => number = Date.now): Promise<AdminConnection | undefined> {
  const server = await localGateway.read(place.stateDir);
  if (server === undefined) return undefined;
  const probe = await connect(server).catch((caught: unknown) => {
    // A gateway that was killed leaves its file behind.
    if ((caught as NodeJS.ErrnoException).code === 'ECONNREFUSED') return undefined;
    throw caught;
  });
  if (probe === undefined) return undefined;
  probe.destroy();
  const authorize = await authorizationOf(place, server, now);
  const url = `${server.certFile === null ? 'http' : 'https'}://${server.admin}`;
  return {
    ...{ url, externalIssuer: server.externalIssuer },
    async request(method, path, body) {
      const authorization = await authorize(method, new URL(path, url));
      return exchange(await connect(server), server.admin, { method, path, authorization, body });
    },
  };
}

/** The operator's token where one is passed; else one of the state directory's keys. */
async function authorizationOf({ stateDir, tokenFile }: AdminPlace, server: LocalServer, now: () => number): Promise<Authorize> {
  if (tokenFile !== undefined) {
    const ca = join(stateDir, 'ca.pem');
    const own = (await stat(ca).catch(() => undefined)) !== undefined;
    return httpAuthorization({ tokenFile, ...(own && { ca }) });
  }
  if (server.externalIssuer !== null)
    throw new CutlayerError(
      'TOKEN_MISSING',
      `gateway ${server.admin}: ${server.externalIssuer} makes its tokens; pass --token-file with one of the scope admin`,
    );
  const keysDir = server.keysDir ?? stateDir;
  const ring = await KeyRing.openExisting(keysDir);
  if (ring === undefined)
    throw new CutlayerError('NOT_FOUND', `${keysDir}: the keys of the gateway that runs are gone; pass --token-file, or restart it`);
  return async () => {
    const identity = await openIdentity(keysDir, {}, 'gateway');
    const token = await issueToken(ring, identity, { tenant: 'operator', scopes: ['admin'], ttlSeconds: TOKEN_SECONDS }, now());
    return { authorization: `Bearer ${token}` };
  };
}

/** Connects; over TLS only to a server that shows the certificate in the file. */
async function connect({ admin, certFile }: LocalServer): Promise<net.Socket> {
  const at = admin.lastIndexOf(':');
  const place = { host: admin.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(admin.slice(at + 1)) };
  // The certificate itself is compared: its names may be those that other machines use.
  const socket = certFile === null ? net.connect(place) : tls.connect({ ...place, rejectUnauthorized: false });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject).once(certFile === null ? 'connect' : 'secureConnect', resolve);
  });
  if (certFile === null || !(socket instanceof tls.TLSSocket)) return socket;
  const expected = new X509Certificate(await readFile(certFile)).fingerprint256;
  if (socket.getPeerX509Certificate()?.fingerprint256 === expected) return socket;
  socket.destroy();
  throw new CutlayerError('CERTIFICATE_REJECTED', `gateway ${admin}: expected it to show the certificate in ${certFile}`);
}

interface AdminRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: Readonly<Record<string, string>>;
  readonly body: unknown;
}

async function exchange(socket: net.Socket, admin: string, { method, path, authorization, body }: AdminRequest): Promise<unknown> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const type = text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  const headers = { host: admin, ...authorization, connection: 'close', ...type };
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      httpRequest({ method, path, headers, createConnection: () => socket, signal }, resolve)
        .on('error', reject)
        .end(text);
    });
    return await answerOf(response);
  } catch (cause) {
    if (cause instanceof CutlayerError) throw cause;
    throw new CutlayerError('UNAVAILABLE', `gateway ${admin}: the request was not answered`, { cause });
  } finally {
    socket.destroy();
  }
}

async function answerOf(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new CutlayerError('MESSAGE_TOO_LARGE', `answer: expected at most ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  if ((response.statusCode ?? 500) < 300) return text === '' ? undefined : parseJson(text);
  const found = errorSchema.safeParse(text.startsWith('{') ? parseJson(text) : undefined);
  const { code, message } = found.success ? found.data.error : { code: 'INTERNAL', message: `answered with status ${response.statusCode}` };
  throw new CutlayerError(isErrorCode(code) ? code : 'INTERNAL', message);
}
