/**
 * Accounts for the calls that a server works on: number, deadline, tenant and outcome. Each has a
 * place from its verified token to the end of its stream.
 */
import { setMaxListeners } from 'node:events';
import { CutlayerError } from '../../errors.js';
import type { Principal } from '../auth/scopes.js';
import type { CallObservation } from '../observability/metrics.js';
import { Shares } from '../shares.js';
import type { HeldBytes } from './byte-budget.js';

/** A call from admission to its end. */
export interface Call {
  readonly method: string;
  /** Its id, for logs and errors. */
  readonly request: string;
  /** The address of its connection's other end. */
  readonly address: string;
  readonly principal: Principal;
  /** The header that proves the caller beside its token; the service checks it. */
  readonly proof: Uint8Array | undefined;
  /** Milliseconds since 1970 at which the call fails as DEADLINE_EXCEEDED. */
  readonly deadline: number;
  /** Aborts on the caller's cancel, the deadline or shutdown. Its reason is a CutlayerError. */
  readonly signal: AbortSignal;
  /** Aborts when shutdown begins, with a CutlayerError: a call that waits answers now. */
  readonly draining: AbortSignal;
  /** The outcome so far; the handler fills it in. */
  readonly outcome: { code: string | undefined; bytesIn: number; bytesOut: number; rows: number };
  /** Takes the bytes of the message out of the server's account, for a handler that counts them. */
  readonly handOver: () => number;
}

/** The role of a server. */
export type ServerRole = 'gateway' | 'coordinator';

interface OpenCall extends Call {
  readonly controller: AbortController;
  readonly timer: NodeJS.Timeout;
  readonly startedAt: number;
  /** Why it ends at its deadline. */
  readonly passed: CutlayerError;
}

/** The parts that the accounting uses. */
export interface CallsOptions {
  /** What they are called in errors. Default: calls. */
  readonly what?: 'calls' | 'streams';
  /** The name of the server in errors. */
  readonly role: ServerRole;
  readonly maxInFlight: number;
  readonly maxInFlightPerTenant?: number | undefined;
  /** A limit of one tenant's own, in place of that of all; undefined without one. */
  readonly maxInFlightOf?: ((tenant: string) => number | undefined) | undefined;
  readonly maxDeadlineMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onEnd: (call: CallObservation, ended: Call) => void;
}

/** What a call has beside its token. */
export interface OpenedWith {
  /** The bytes of its message. */
  readonly held: Pick<HeldBytes, 'handOver'>;
  /** See {@link Call.proof}. */
  readonly proof: Uint8Array | undefined;
  /** See {@link Call.request}. */
  readonly request: string;
  /** See {@link Call.address}. */
  readonly address: string;
}

/** When a tenant at its limit may try again. */
const RETRY_MS = 250;
/** Time that a call may still take after its token has expired. */
const TOKEN_GRACE_MS = 60_000;

/** All calls in flight. */
export class Calls {
  readonly #options: CallsOptions;
  /** In the order of their admission. */
  readonly #open = new Set<OpenCall>();
  readonly #places = new Shares();
  readonly #draining = new AbortController();
  #idle: (() => void) | undefined;

  constructor(options: CallsOptions) {
    this.#options = options;
    // Every waiting call listens for the shutdown.
    setMaxListeners(0, this.#draining.signal);
  }

  /** Calls admitted and not yet ended. */
  get inFlight(): number {
    return this.#open.size;
  }

  /** Those of one tenant. */
  inFlightOf(tenant: string): number {
    return this.#places.of(tenant);
  }

  /**
   * Gives an authenticated call a place. Its deadline is the declared one, the server's longest, or
   * the token's end and a grace, whichever is first. When every place is taken, the tenant with
   * most gives its newest one, if it has more than the new call's tenant will have. So no number of
   * other tenants shuts one out.
   * @param deadline milliseconds since 1970
   * @throws CutlayerError DRAINING; DEADLINE_EXCEEDED when it has passed; QUEUE_FULL at a limit
   */
  open(method: string, principal: Principal, deadline: number, { held, ...more }: OpenedWith): Call {
    const { now, maxDeadlineMs, maxInFlightPerTenant = Number.POSITIVE_INFINITY, maxInFlightOf, role, what = 'calls' } = this.#options;
    if (this.#draining.signal.aborted) throw this.#shuttingDown();
    const startedAt = now();
    if (deadline <= startedAt) throw new CutlayerError('DEADLINE_EXCEEDED', 'deadline: had passed before the call began');
    const { tenant } = principal;
    const others = this.#places.of(tenant);
    const limit = maxInFlightOf?.(tenant) ?? maxInFlightPerTenant;
    if (others >= limit)
      throw new CutlayerError('QUEUE_FULL', `${role}: ${others} ${what} of ${tenant} are in flight, which is its limit; end one first`, {
        details: { limit, retryAfterMs: RETRY_MS },
      });
    this.#makePlace(tenant);
    const tokenEnd = principal.expiresAt + TOKEN_GRACE_MS;
    const last = Math.min(deadline, startedAt + maxDeadlineMs, tokenEnd);
    const passed =
      last === tokenEnd
        ? new CutlayerError('TOKEN_EXPIRED', 'token: expired during the call; ask its issuer for a new one')
        : new CutlayerError('DEADLINE_EXCEEDED', 'deadline: passed before the answer was ready');
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(passed), last - startedAt);
    const outcome = { code: undefined, bytesIn: 0, bytesOut: 0, rows: 0 };
    const { signal } = controller;
    const draining = this.#draining.signal;
    const times = { deadline: last, timer, startedAt, passed };
    const handOver = (): number => held.handOver();
    const call: OpenCall = { ...more, method, principal, signal, draining, outcome, handOver, controller, ...times };
    this.#open.add(call);
    this.#places.add(tenant, 1);
    return call;
  }

  /**
   * Fails a call whose deadline has passed, also when a busy process has not run its timer yet. So
   * no answer begins that the timer would cut off.
   * @throws CutlayerError DEADLINE_EXCEEDED; TOKEN_EXPIRED; what else the call ended with
   */
  requireTime(call: Call): void {
    const { controller, passed } = call as OpenCall;
    if (this.#options.now() >= call.deadline) controller.abort(passed);
    call.signal.throwIfAborted();
  }

  /** Seconds since a call was admitted. */
  secondsOf(call: Call): number {
    return (this.#options.now() - (call as OpenCall).startedAt) / 1000;
  }

  /** Aborts work on a call whose exchange has failed. */
  abort(call: Call, reason: unknown): void {
    (call as OpenCall).controller.abort(reason);
  }

  /** Ends a call, for any reason, and aborts work on it. */
  end(call: Call): void {
    const open = call as OpenCall;
    if (!this.#open.delete(open)) return;
    clearTimeout(open.timer);
    const { tenant } = call.principal;
    this.#places.add(tenant, -1);
    open.controller.abort(new CutlayerError('CANCELLED', 'call: the caller has gone'));
    if (this.#open.size === 0) this.#idle?.();
    const { code, ...amounts } = open.outcome;
    this.#options.onEnd({ method: call.method, tenant, code: code ?? 'TRANSPORT', seconds: this.secondsOf(call), ...amounts }, call);
  }

  /** Admits no more calls; resolves when the last one has ended. */
  drain(): Promise<void> {
    this.#draining.abort(this.#shuttingDown());
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Fails every open call of a tenant. */
  abortTenant(tenant: string, reason: CutlayerError): void {
    for (const { principal, controller } of this.#open) if (principal.tenant === tenant) controller.abort(reason);
  }

  /** Fails every open call as retryable. */
  abortAll(): void {
    for (const { controller } of this.#open) controller.abort(this.#shuttingDown());
  }

  /** @param tenant the new call's. @throws CutlayerError QUEUE_FULL */
  #makePlace(tenant: string): void {
    const { role, maxInFlight, what = 'calls' } = this.#options;
    if (this.#open.size < maxInFlight) return;
    const heaviest = this.#places.giverTo(tenant);
    if (heaviest === undefined)
      throw new CutlayerError('QUEUE_FULL', `${role}: ${maxInFlight} ${what} are in flight, which is the limit; try again in a moment`);
    const newest = [...this.#open].findLast(({ principal }) => principal.tenant === heaviest)!;
    const message = `${role}: the ${what} of ${heaviest} in flight are the most of all tenants, and another needed the place; try again later`;
    newest.controller.abort(new CutlayerError('QUEUE_FULL', message));
    newest.outcome.code = 'QUEUE_FULL';
    this.end(newest);
  }

  #shuttingDown(): CutlayerError {
    return new CutlayerError('DRAINING', `${this.#options.role}: shutting down; connect again`);
  }
}
