/** Asks a token endpoint for an access token: client_credentials with an assertion (RFC 7523). */
import { randomUUID } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { importJWK, SignJWT } from 'jose';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { parseJson } from '../../../src/files/json-text.js';
import { isLoopback } from '../../../src/protocol/wire/loopback.js';
import { readAuthority } from './channel-credentials.js';
import { type CertificateOptions, readClientCertificate } from './client-certificate.js';
import type { ClientCredentials } from './client-credentials.js';
import type { DpopKey } from './dpop-key.js';
import type { ServerRole } from './server-address.js';

/** A token, and how long it is good. */
export interface TimedToken {
  readonly token: string;
  readonly lifeMs: number;
}

const ASSERTION_SECONDS = 60;
const TIMEOUT_MS = 20_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

const answerSchema = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() });
const refusalSchema = z.object({ error: z.string().max(64), error_description: z.string().max(512).optional() });

/** What a token is asked for with, beside the credentials. */
export interface TokenRequestOptions extends CertificateOptions {
  /** Authority of the endpoint's certificate. Default: the system's. */
  readonly ca?: string | undefined;
  /** The key that the token is to be bound to. Default: none, as gRPC needs it. */
  readonly dpop?: DpopKey | undefined;
}

/**
 * A new token. Where the endpoint asks for a client certificate, it is bound to the one given.
 * @throws CutlayerError TOKEN_INVALID (refused), UNAVAILABLE, CERTIFICATE_REJECTED,
 *   INVALID_ARGUMENT
 */
export async function requestToken(credentials: ClientCredentials, options: TokenRequestOptions, role: ServerRole): Promise<TimedToken> {
  const url = new URL(credentials.tokenUrl);
  if (url.protocol !== 'https:' && !isLoopback(url.hostname.replace(/^\[|\]$/g, '')))
    throw new CutlayerError('INVALID_ARGUMENT', 'token endpoint: expected an https address: a token would cross in the clear');
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: await assertion(credentials),
  }).toString();
  const { ca, dpop } = options;
  const tls = { ...(ca !== undefined && { ca: await readAuthority(ca, role) }), ...(await readClientCertificate(options)) };
  const proof = dpop === undefined ? {} : { dpop: await dpop.prove({ method: 'POST', url }) };
  const { status, text } = await post(url, form, { tls, proof });
  if (status === 200) {
    const found = answerSchema.safeParse(parsed(text));
    if (found.success) return { token: found.data.access_token, lifeMs: found.data.expires_in * 1000 };
  }
  const refusal = refusalSchema.safeParse(parsed(text));
  const said = refusal.success ? `${refusal.data.error}: ${refusal.data.error_description ?? ''}` : `status ${status}`;
  if (status === 429 || status >= 500) throw new CutlayerError('UNAVAILABLE', `token endpoint ${url.host}: ${said}`);
  throw new CutlayerError('TOKEN_INVALID', `token endpoint ${url.host}: refused client ${credentials.clientId} (${said}); ask the vendor`);
}

async function assertion({ clientId, issuer, key }: ClientCredentials): Promise<string> {
  const alg = key.kty === 'EC' ? 'ES256' : 'EdDSA';
  const seconds = Math.floor(Date.now() / 1000);
  return new SignJWT({})
    .setProtectedHeader({ alg, typ: 'client-authentication+jwt', ...(key.kid !== undefined && { kid: key.kid }) })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(issuer)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + ASSERTION_SECONDS)
    .setJti(randomUUID())
    .sign(await importJWK(key, alg));
}

interface PostOptions {
  readonly tls: { readonly ca?: Buffer; readonly cert?: string; readonly key?: string };
  readonly proof: { readonly dpop?: string };
}

async function post(url: URL, form: string, { tls, proof }: PostOptions): Promise<{ readonly status: number; readonly text: string }> {
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(form), ...proof };
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      // No connection is kept: the next token is minutes away.
      request(url, { method: 'POST', headers, agent: false, signal, ...tls }, resolve)
        .on('error', reject)
        .end(form);
    });
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of response) {
      length += chunk.length;
      if (length > MAX_ANSWER_BYTES) throw new Error(`its answer is larger than ${MAX_ANSWER_BYTES} bytes`);
      chunks.push(chunk);
    }
    return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') };
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException; // node rejects with its own errors
    if (/CERT|SELF_SIGNED|ALTNAME|UNABLE_TO/.test(code))
      throw new CutlayerError(
        'CERTIFICATE_REJECTED',
        `token endpoint ${url.host}: its certificate is not trusted (${message}); pass --ca FILE`,
        { cause },
      );
    throw new CutlayerError('UNAVAILABLE', `token endpoint ${url.host}: does not answer (${message})`, { cause });
  }
}

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
