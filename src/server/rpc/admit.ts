/**
 * Admission, before a byte of a request's message is read: a place, a deadline, a token. What fails here costs its sender one header frame.
 */
import { type Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface, type ServerInterceptor } from '@grpc/grpc-js';
import { CutlayerError } from '../../errors.js';
import { toServiceError } from '../../protocol/wire/status.js';
import type { Verifier } from '../auth/verifier.js';
import type { CallObservation } from '../observability/metrics.js';
import type { Call, Calls } from './calls.js';

/** Admitted calls by the metadata object that the handler is handed: the one thing that interceptor and handler both see. */
export type AdmittedCalls = WeakMap<Metadata, Call>;

/** What admission needs. */
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

/** Infinity means that the caller gave none, or one that does not parse. @throws CutlayerError DEADLINE_REQUIRED */
function requireDeadline(call: ServerInterceptingCallInterface): number {
  const deadline = call.getDeadline();
  const at = deadline instanceof Date ? deadline.getTime() : deadline;
  if (Number.isFinite(at)) return at;
  throw new CutlayerError('DEADLINE_REQUIRED', 'deadline: expected one on every call (grpc-timeout), got none');
}

/** Guards the methods of the named services; others (health) pass, as they have neither tenant nor cost. */
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
      // The token has served; nothing behind this line has use for it.
      metadata.remove('authorization');
      next(metadata);
    };

    return new ServerInterceptingCall(nextCall, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, nextMetadata) => {
            try {
              // At once: in the next tick grpc-js answers a grpc-timeout that does not parse with INTERNAL.
              const deadline = requireDeadline(nextCall);
              admit(metadata, deadline, nextMetadata).catch(refuse);
            } catch (error) {
              refuse(error);
            }
          },
          // Called once, at the end of every call, however it ended.
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
