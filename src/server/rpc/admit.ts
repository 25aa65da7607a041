/**
 * Admission before a request's message is read: a free place, a deadline, a token. A refusal here
 * costs the caller one header frame.
 */
import { type Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface, type ServerInterceptor } from '@grpc/grpc-js';
import { CutlayerError } from '../../errors.js';
import { toServiceError } from '../../protocol/wire/status.js';
import type { Verifier } from '../auth/verifier.js';
import type { CallObservation } from '../observability/metrics.js';
import type { Call, Calls } from './calls.js';

/** Admitted calls by metadata object: the only value that interceptor and handler share. */
export type AdmittedCalls = WeakMap<Metadata, Call>;

/** The parts that admission uses. */
export interface AdmitOptions {
  /** Full names of the services whose calls are guarded. */
  readonly services: readonly string[];
  readonly calls: Calls;
  readonly admitted: AdmittedCalls;
  readonly verify: Verifier;
  readonly onRefusal: (call: CallObservation) => void;
}

/** @throws CutlayerError TOKEN_MISSING */
function bearerToken(metadata: Metadata): string {
  const values = metadata.get('authorization');
  const match = values.length === 1 && typeof values[0] === 'string' ? /^Bearer +(\S+)$/i.exec(values[0]) : null;
  if (match === null) throw new CutlayerError('TOKEN_MISSING', 'authorization: expected "Bearer <token>" in the metadata');
  return match[1]!;
}

/** A missing or malformed deadline is Infinity here. @throws CutlayerError DEADLINE_REQUIRED */
function requireDeadline(call: ServerInterceptingCallInterface): number {
  const deadline = call.getDeadline();
  const at = deadline instanceof Date ? deadline.getTime() : deadline;
  if (Number.isFinite(at)) return at;
  throw new CutlayerError('DEADLINE_REQUIRED', 'deadline: expected one on every call (grpc-timeout), got none');
}

/** Guards the named services; others (health) pass, as they have neither tenant nor cost. */
export function admitInterceptor({ services, calls, admitted, verify, onRefusal }: AdmitOptions): ServerInterceptor {
  return ({ path }, nextCall) => {
    const [, service = '', method = ''] = path.split('/');
    if (!services.includes(service)) return new ServerInterceptingCall(nextCall);
    let reserved = false;
    let call: Call | undefined;
    let ended = false;

    const refuse = (caught: unknown): void => {
      const error = CutlayerError.from(caught);
      onRefusal({ method, tenant: '', code: error.code, seconds: 0, bytesIn: 0, bytesOut: 0, rows: 0 });
      nextCall.sendStatus(toServiceError(error));
    };

    const admit = async (metadata: Metadata, deadline: number, next: (metadata: Metadata) => void): Promise<void> => {
      calls.reserve();
      reserved = true;
      const principal = await verify(bearerToken(metadata));
      if (ended) return;
      call = calls.open(method, principal, deadline);
      admitted.set(metadata, call);
      // The handler has no use for the token.
      metadata.remove('authorization');
      next(metadata);
    };

    return new ServerInterceptingCall(nextCall, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, nextMetadata) => {
            try {
              // Not later: in the next tick grpc-js answers a malformed grpc-timeout with INTERNAL.
              const deadline = requireDeadline(nextCall);
              admit(metadata, deadline, nextMetadata).catch(refuse);
            } catch (error) {
              refuse(error);
            }
          },
          // Called once at the end of every call, for any reason.
          onCancel: () => {
            ended = true;
            if (call !== undefined) calls.end(call);
            if (reserved) calls.release();
            reserved = false;
          },
        }),
    });
  };
}
