/**
 * Tokens that are void before their end: those that were revoked, and those of disabled clients.
 * A copy in memory answers each call; it is brought up to date from the database every few seconds,
 * where another gateway may have written.
 */
import { CutlayerError } from '../../errors.js';
import type { Logger } from '../../server/observability/log.js';
import type { GatewayDatabase } from '../tables/database.js';

/** Most revoked tokens that have not ended. */
const MAX_REVOKED = 100_000;
const REFRESH_MS = 5000;
/** Clocks of gateways that share a database differ by less. */
const OVERLAP_MS = 60_000;

/** What names a token. */
export interface TokenIds {
  readonly id: string;
  readonly clientId: string | undefined;
}

/** The copy. It voids nothing before {@link RevocationList.open}. */
export class RevocationList {
  readonly #now: () => number;
  readonly #tokens = new Map<string, number>();
  readonly #clients = new Set<string>();
  #database: GatewayDatabase | undefined;
  #timer: NodeJS.Timeout | undefined;
  #readUntil = 0;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Reads the database, now and every few seconds. @throws CutlayerError of the store */
  async open(database: GatewayDatabase, log: Pick<Logger, 'error'>): Promise<void> {
    this.#database = database;
    await this.refresh();
    this.#timer = setInterval(() => {
      this.refresh().catch((error: unknown) => log.error({ err: CutlayerError.from(error) }, 'revoked tokens: cannot be read'));
    }, REFRESH_MS).unref();
  }

  /** Whether a token is void. */
  has({ id, clientId }: TokenIds): boolean {
    return this.#tokens.has(id) || (clientId !== undefined && this.#clients.has(clientId));
  }

  /**
   * Revokes a token, durably before it returns.
   * @param endsAt milliseconds since 1970
   * @throws CutlayerError LIMIT_EXCEEDED; UNAVAILABLE before {@link RevocationList.open}
   */
  async revoke(id: string, endsAt: number): Promise<void> {
    const now = this.#now();
    if (this.#tokens.has(id) || endsAt < now) return;
    await this.#opened().transaction(async ({ revokedTokens }) => {
      await revokedTokens.forget(now - OVERLAP_MS);
      if ((await revokedTokens.count()) >= MAX_REVOKED)
        throw new CutlayerError('LIMIT_EXCEEDED', `tokens: ${MAX_REVOKED} are revoked and have not ended, which is the limit`);
      await revokedTokens.add({ id, revokedAt: now, endsAt });
    });
    this.#tokens.set(id, endsAt);
  }

  /** Brings the copy up to date. @throws CutlayerError of the store */
  async refresh(): Promise<void> {
    const now = this.#now();
    const since = this.#readUntil - OVERLAP_MS;
    const { tokens, clients } = await this.#opened().transaction(async (tables) => ({
      tokens: await tables.revokedTokens.since(since, now),
      clients: await tables.clients.disabledSince(since),
    }));
    this.#readUntil = now;
    for (const [id, endsAt] of this.#tokens) if (endsAt + OVERLAP_MS < now) this.#tokens.delete(id);
    for (const { id, endsAt } of tokens) this.#tokens.set(id, endsAt);
    for (const id of clients) this.#clients.add(id);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #opened(): GatewayDatabase {
    if (this.#database === undefined) throw new CutlayerError('UNAVAILABLE', 'revoked tokens: the database is not open yet');
    return this.#database;
  }
}
