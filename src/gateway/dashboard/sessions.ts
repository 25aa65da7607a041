/**
 * Sessions of the page `/admin`: what a browser's cookie stands for. They are in memory alone, at
 * most 64, for at most an hour. The cookie is a random value of which a digest is kept.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Principal } from '../../server/auth/scopes.js';

/** Who has signed in, and until when. */
export interface Session {
  readonly principal: Principal;
  /** What a request that changes something sends in a header, beside the cookie. */
  readonly csrf: string;
  /** Thumbprint of the client certificate of the connection that signed in. */
  readonly certificate: string | undefined;
  /** Milliseconds since 1970. */
  readonly endsAt: number;
}

/** The longest life of a session. */
export const SESSION_MS = 3_600_000;
/** Sessions at once. The oldest one gives way. */
export const MOST_SESSIONS = 64;
/** Sessions whose token or tenant is void end within this time. */
const LOOK_MS = 5000;

/** What sessions look at. */
export interface SessionsOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Whether a caller may still come: not revoked, not disabled, its tenant not suspended. */
  readonly stands: (principal: Principal) => boolean;
  /** Whether a session may outlive its token, as the gateway knows the client that asked for it. */
  readonly outlives: (principal: Principal) => boolean;
}

/** The sessions. */
export class Sessions {
  readonly #options: SessionsOptions;
  /** By the digest of their cookie; the oldest first. */
  readonly #sessions = new Map<string, Session>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Begins a session. @returns it, and the value of its cookie */
  begin(principal: Principal, certificate: string | undefined): { readonly session: Session; readonly cookie: string } {
    this.look();
    const oldest = this.#sessions.keys().next().value;
    if (this.#sessions.size >= MOST_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
    const latest = this.#options.now() + SESSION_MS;
    const endsAt = this.#options.outlives(principal) ? latest : Math.min(latest, principal.expiresAt);
    const session: Session = { principal, certificate, endsAt, csrf: secret() };
    const cookie = secret();
    this.#sessions.set(digest(cookie), session);
    return { session, cookie };
  }

  /** The session of a cookie; undefined when there is none, or it has ended. */
  find(cookie: string, certificate: string | undefined): Session | undefined {
    const key = digest(cookie);
    const session = this.#sessions.get(key);
    if (session === undefined) return undefined;
    if (!this.#lasts(session)) {
      this.#sessions.delete(key);
      return undefined;
    }
    return session.certificate === certificate ? session : undefined;
  }

  /** Ends the session of a cookie. */
  end(cookie: string): void {
    this.#sessions.delete(digest(cookie));
  }

  /** Ends what may not go on. */
  look(): void {
    for (const [key, session] of this.#sessions) if (!this.#lasts(session)) this.#sessions.delete(key);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#sessions.clear();
  }

  #lasts({ principal, endsAt }: Session): boolean {
    return this.#options.now() < endsAt && this.#options.stands(principal);
  }
}

/** Whether a header has the value that goes with a session. */
export function isCsrfOf({ csrf }: Session, given: string): boolean {
  return timingSafeEqual(Buffer.from(digest(given)), Buffer.from(digest(csrf)));
}

const secret = (): string => randomBytes(32).toString('base64url');
const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
