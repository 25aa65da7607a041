/** What a token says of itself. It is decoded, not verified: that is the gateway's to do. */
import { decodeJwt, type JWTPayload } from 'jose';
import { CutlayerError } from '../../../../src/errors.js';
import { tokenSource } from '../../connection/token-source.js';
import type { CheckedConnection } from './checked-connection.js';
import { type Finding, failed, ok, skipped } from './finding.js';

/** @param now Milliseconds since 1970. */
export async function tokenFinding(flags: CheckedConnection, now: number): Promise<Finding> {
  const { ca, clientCert, clientKey } = flags;
  try {
    const token = await tokenSource({ ...flags.token(), ca, clientCert, clientKey })(false);
    return describe(token, now);
  } catch (caught) {
    return failed('token', caught);
  }
}

function describe(token: string, now: number): Finding {
  let claims: JWTPayload;
  try {
    claims = decodeJwt(token);
  } catch {
    return skipped('token', 'not a JWT, so that only the gateway can read it');
  }
  const { exp, sub } = claims;
  const scopes = String(claims.scope ?? '').slice(0, 200);
  const what = `tenant ${String(claims.tenant ?? sub ?? 'not said').slice(0, 64)}; scopes ${scopes || 'none'}`;
  if (exp === undefined) return ok('token', `${what}; no end said`);
  const until = `${new Date(exp * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  const left = exp * 1000 - now;
  if (left <= 0) return failed('token', new CutlayerError('TOKEN_EXPIRED', `${what}; expired at ${until}; ask the vendor for a new one`));
  const words = scopes.split(' ');
  if (!ofGateway.some((scope) => words.includes(scope)))
    return failed(
      'token',
      new CutlayerError('SCOPE_MISSING', `${what}; a gateway wants train or infer: ask the vendor for a token of the gateway`),
    );
  const note = mayTrain.some((scope) => words.includes(scope)) ? '' : ', so that it may not train';
  return ok('token', `${what}${note}; valid until ${until}, ${timeText(left)} left`);
}

/** Scopes that allow training, and all that allow a call, with their older names. */
const mayTrain = ['train', 'split:train'];
const ofGateway = [...mayTrain, 'infer', 'split:infer'];

/** `29 days`, `5 h`, `12 min` */
function timeText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 120) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / (24 * 60))} days`;
}
