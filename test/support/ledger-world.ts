/**
 * Gateways that die and clients that repeat, over one ledger: real decode sessions, real meters, a
 * decoder of arithmetic. The world counts by itself what was asked for, from the contents alone.
 */
import fc from 'fast-check';
import { DecodeSessions, type Session } from '../../src/gateway/decode/sessions.js';
import { type Amounts, type Charge, keyText, sumAmounts } from '../../src/gateway/ledger/charge.js';
import { Ledger, type LedgerStore } from '../../src/gateway/ledger/ledger.js';
import type { SessionLog } from '../../src/gateway/ledger/session-usage.js';
import type { StepSize } from '../../src/gateway/split/step-meter.js';
import { stepMeter } from '../../src/gateway/split/step-meter.js';
import { f32 } from '../../src/tensor/tensor.js';
import { arithmeticDecoder, ROW_BYTES } from './arithmetic-decoder.js';

const WIDTH = 2;
/** Appends of fewer rows are charged while they are computed. */
const BLOCK_ROWS = 4;
const MAX_ROWS = 24;
const TENANT = 'acme';

/** What becomes of a write: done; the process dies before or after it; its answer alone is lost. */
export type Fate = 'done' | 'dies before' | 'dies after' | 'fails before' | 'fails after';

/** A ledger's store in memory, whose writes have fates. */
export class SimulatedStore implements LedgerStore {
  readonly #charges = new Map<string, Charge>();
  #sums: Partial<Amounts>[] = [];
  /** Called for each write. */
  fate: () => Fate = () => 'done';
  /** Called when the process that writes dies. */
  onDeath = (): void => {};

  async write(charges: readonly Charge[]): Promise<readonly boolean[]> {
    const fate = this.fate();
    const end = (): never => {
      if (fate.startsWith('dies')) this.onDeath();
      throw new Error(fate);
    };
    if (fate.endsWith('before')) end();
    const isNew = charges.map((charge) => {
      const key = keyText(charge);
      if (this.#charges.has(key)) return false;
      this.#charges.set(key, charge);
      this.#sums.push(charge.amounts);
      return true;
    });
    if (fate !== 'done') end();
    return isNew;
  }

  async sessionLog(tenant: string, id: string, most: number): Promise<SessionLog> {
    const entries = [...this.#charges.values()].filter(
      (charge) => charge.tenant === tenant && charge.kind === 'decode' && charge.id === id,
    );
    const newest = entries.sort((a, b) => (a.part < b.part ? -1 : 1)).slice(-most);
    return { next: newest.length === 0 ? 0 : Number(newest.at(-1)!.part) + 1, content: newest.map(({ content }) => content!) };
  }

  async forget(_before: number): Promise<void> {}

  sums(): Amounts {
    const sums = sumAmounts(this.#sums);
    this.#sums = [sums];
    return sums;
  }
}

/** Times that a client repeats something: no history needs more. */
const MOST_TRIES = 500;

/** One process. */
interface Gateway {
  /** Its place, which the next process takes. */
  readonly place: number;
  readonly sessions: DecodeSessions;
  readonly ledger: Ledger;
  alive: boolean;
}

/** A session as its client knows it. */
interface ClientSession {
  readonly id: string;
  /** A number stands for a row. */
  rows: number[];
  gateway: Gateway | undefined;
  session: Session | undefined;
  holder: object;
  /** Whether a gateway has had it. */
  opened: boolean;
}

/** What a client may do next; numbers choose among what there is. */
export type Action =
  | { readonly kind: 'forward' | 'backward' | 'repeat' | 'lose' | 'move' | 'fork'; readonly pick: number }
  | { readonly kind: 'open'; readonly prompt: number }
  | { readonly kind: 'append' | 'cancel'; readonly pick: number; readonly rows: readonly number[]; readonly keep: number };

const pick = fc.nat({ max: 7 });
const rows = fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 6 });
const keep = fc.nat({ max: MAX_ROWS });

/** Histories of actions. */
export const actions: fc.Arbitrary<readonly Action[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constantFrom('forward', 'backward', 'repeat', 'lose', 'move', 'fork'), pick }),
    fc.record({ kind: fc.constant('open'), prompt: fc.nat({ max: 2 }) }),
    { arbitrary: fc.record({ kind: fc.constantFrom('append', 'append', 'cancel'), pick, rows, keep }), weight: 4 },
  ),
  { minLength: 4, maxLength: 16 },
) as fc.Arbitrary<readonly Action[]>; // the kinds are those of Action

/** See the module's header. */
export class LedgerWorld {
  readonly #store: LedgerStore;
  readonly #gateways: Gateway[] = [];
  readonly #clients: ClientSession[] = [];
  readonly #steps: { readonly id: string; readonly size: StepSize; backward: boolean }[] = [];
  /** What was answered, by the world's own count. */
  readonly expected = { forward: 0, backward: 0, rows: 0 };
  /** By session: the rows from its start, as texts, that it has had. */
  readonly #had = new Map<string, Set<string>>();
  /** The same for appends of a few rows that were cancelled: these may have been charged. */
  readonly #begun = new Map<string, Set<string>>();
  readonly #cacheRows: number;
  #at: Gateway | undefined;
  #ids = 0;

  /** @param cacheRows rows that the prefix cache of each gateway keeps */
  constructor(store: LedgerStore, cacheRows = 0) {
    this.#store = store;
    this.#cacheRows = cacheRows;
    for (let place = 0; place < 2; place++) this.#gateways.push(this.#start(place));
  }

  /** The process that does the present work is dead. */
  kill(): void {
    if (this.#at !== undefined) this.#at.alive = false;
  }

  /** Rows that may have been charged though they were never answered. */
  get cancelledRows(): number {
    let rows = 0;
    for (const [id, names] of this.#begun) for (const name of names) if (!this.#had.get(id)?.has(name)) rows++;
    return rows;
  }

  async run(history: readonly Action[]): Promise<void> {
    for (const action of history) await this.#act(action);
  }

  async close(): Promise<void> {
    for (const { sessions, ledger } of this.#gateways) {
      await ledger.close();
      await sessions.shutDown();
    }
  }

  async #act(action: Action): Promise<void> {
    switch (action.kind) {
      case 'forward': {
        const id = `s${this.#ids++}`;
        const size: StepSize = { rows: 1 + action.pick, adapter: 'none', digest: id };
        await this.#charged((meter) => meter.forward({ tenant: TENANT, stepId: id, in: [], out: [] }, size));
        this.expected.forward += size.rows;
        this.#steps.push({ id, size, backward: false });
        return;
      }
      case 'backward':
      case 'repeat': {
        const step = this.#steps[action.pick % Math.max(1, this.#steps.length)];
        if (step === undefined) return;
        const { id, size } = step;
        // Evicted and sent again: the forward is the same work.
        if (action.kind === 'repeat') await this.#charged((meter) => meter.forward({ tenant: TENANT, stepId: id, in: [], out: [] }, size));
        await this.#charged((meter) => meter.backward({ tenant: TENANT, stepId: id, in: [], out: [] }, size, 'cotangent'));
        if (!step.backward) this.expected.backward += size.rows;
        step.backward = true;
        return;
      }
      case 'open': {
        const client = this.#newClient([]);
        await this.#until(client, async () => undefined);
        return this.#append(client, 0, [action.prompt, action.prompt, 1, 1, 0]);
      }
      case 'append': {
        const client = this.#client(action.pick);
        return client && this.#append(client, Math.min(client.rows.length, action.keep), action.rows);
      }
      case 'cancel': {
        const client = this.#client(action.pick);
        return client && this.#cancelled(client, action.rows, action.keep % 2 === 1);
      }
      case 'fork': {
        const client = this.#client(action.pick);
        if (client === undefined || client.rows.length === 0) return;
        const copy = this.#newClient([...client.rows]);
        copy.opened = true;
        await this.#until(client, async (gateway, session) => {
          const { length } = client.rows;
          await gateway.sessions.rollback(callOf(client), session, length);
          await gateway.sessions.fork(callOf(client), session, copy.id);
          copy.gateway = gateway;
        });
        this.#had.set(copy.id, new Set(prefixes(copy.rows)));
        return;
      }
      case 'lose': {
        const client = this.#client(action.pick);
        if (client?.gateway === undefined) return;
        client.gateway.alive = false;
        return;
      }
      case 'move': {
        const client = this.#client(action.pick);
        if (client === undefined) return;
        client.gateway = await this.#living(client.gateway?.place === 0 ? 1 : 0);
        client.session = undefined;
        client.opened = false;
        return;
      }
    }
  }

  #newClient(rowsOf: number[]): ClientSession {
    const client = { id: `d${this.#ids++}`, rows: rowsOf, gateway: undefined, session: undefined, holder: {}, opened: false };
    this.#clients.push(client);
    this.#had.set(client.id, new Set());
    return client;
  }

  #client(at: number): ClientSession | undefined {
    return this.#clients[at % Math.max(1, this.#clients.length)];
  }

  async #append(client: ClientSession, from: number, added: readonly number[]): Promise<void> {
    const fitting = added.slice(0, MAX_ROWS - from);
    if (fitting.length === 0) return;
    client.rows.length = from;
    await this.#until(client, (gateway, session) =>
      gateway.sessions.append(callOf(client), session, { from, rows: tensorOf(fitting), positions: [fitting.length - 1] }),
    );
    client.rows.push(...fitting);
    this.#count(client);
  }

  /**
   * Goes away in the middle of an append. Then it goes on after the rows that were answered, or
   * says that it has more: those that the gateway has by then.
   */
  async #cancelled(client: ClientSession, added: readonly number[], greedy: boolean): Promise<void> {
    const from = client.rows.length;
    const fitting = added.slice(0, MAX_ROWS - 1 - from);
    if (fitting.length === 0) return;
    const { gateway, session } = await this.#attached(client);
    const abort = new AbortController();
    this.#at = gateway;
    const input = { from, rows: tensorOf(fitting), positions: [fitting.length - 1] };
    const appended = gateway.sessions.append({ ...callOf(client), signal: abort.signal }, session, input).then(
      () => true,
      () => false,
    );
    await Promise.resolve();
    abort.abort();
    const done = await appended;
    if (!done && fitting.length < BLOCK_ROWS)
      this.#begun.set(client.id, new Set([...(this.#begun.get(client.id) ?? []), ...prefixes([...client.rows, ...fitting])]));
    if (done) {
      client.rows.push(...fitting);
      this.#count(client);
    } else if (greedy && gateway.alive) {
      const left = await gateway.sessions.resume(callOf(client), { id: client.id, length: MAX_ROWS }).catch(() => undefined);
      client.session = left;
      if (left !== undefined) client.rows.push(...fitting.slice(0, left.length - from));
    }
    await this.#append(client, client.rows.length, [2]);
  }

  #count(client: ClientSession): void {
    const had = this.#had.get(client.id)!;
    for (const name of prefixes(client.rows)) {
      if (had.has(name)) continue;
      had.add(name);
      this.expected.rows += 1;
    }
  }

  /** Charges a step until that has been answered. */
  async #charged(work: (meter: ReturnType<typeof stepMeter>) => Promise<void>): Promise<void> {
    for (let tries = 0; ; tries++) {
      const gateway = await this.#living(this.#ids % 2);
      this.#at = gateway;
      try {
        return await work(stepMeter(gateway.ledger, 'model'));
      } catch (caught) {
        // It is sent again.
        if (tries === MOST_TRIES) throw caught;
      }
    }
  }

  /** Works on a session until that has been answered; a session that was lost is replayed. */
  async #until(client: ClientSession, work: (gateway: Gateway, session: Session) => Promise<unknown>): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        const { gateway, session } = await this.#attached(client);
        this.#at = gateway;
        await work(gateway, session);
        if (gateway.alive) return;
      } catch (caught) {
        // Its stream has ended with an error: another one goes on.
        if (tries === MOST_TRIES) throw caught;
        client.session = undefined;
      }
    }
  }

  async #attached(client: ClientSession): Promise<{ readonly gateway: Gateway; readonly session: Session }> {
    for (let tries = 0; ; tries++) {
      if (client.gateway?.alive !== true) {
        client.session = undefined;
        client.opened = false;
        client.gateway = await this.#living(client.gateway?.place ?? this.#ids % 2);
      }
      const { gateway } = client;
      if (client.session !== undefined) return { gateway, session: client.session };
      this.#at = gateway;
      client.holder = {};
      try {
        const { sessions } = gateway;
        const call = callOf(client);
        const resumed = client.opened
          ? await sessions.resume(call, { id: client.id, length: client.rows.length }).catch(() => undefined)
          : undefined;
        const session = resumed ?? (await sessions.open(call, { id: client.id, maxRows: MAX_ROWS, adapter: { kind: 'none' } }));
        client.opened = true;
        // A replay is cut into messages anywhere.
        for (let at = session.length; at < client.rows.length; ) {
          const end = Math.min(client.rows.length, at + 1 + ((at + this.#ids) % 3));
          await sessions.append(call, session, { from: at, rows: tensorOf(client.rows.slice(at, end)), positions: [] });
          at = end;
        }
        if (!gateway.alive) continue;
        client.session = session;
        return { gateway, session };
      } catch (caught) {
        // The next turn opens it again.
        if (tries === MOST_TRIES) throw caught;
      }
    }
  }

  async #living(place: number): Promise<Gateway> {
    const before = this.#gateways[place]!;
    if (before.alive) return before;
    await before.sessions.shutDown();
    const after = this.#start(place);
    this.#gateways[place] = after;
    return after;
  }

  #start(place: number): Gateway {
    const ledger = new Ledger({ store: this.#store, model: 'model', modelName: 'tiny', now: () => 1 });
    const sessions = new DecodeSessions({
      decoder: arithmeticDecoder(),
      turns: { turn: ({ work }) => work() },
      bounds: {
        ...{ limitBytes: 4000 * ROW_BYTES, tenantBytes: 4000 * ROW_BYTES, maxPerTenant: 64, idleMs: 1e9, restMs: 1e9 },
        ...{ chunkRows: 2, maxBatch: 8, share: 0, maxMs: 0, cacheBytes: this.#cacheRows * ROW_BYTES, blockRows: BLOCK_ROWS },
      },
      digest: 'backbone',
      ledger,
      now: () => 0,
    });
    return { place, sessions, ledger, alive: true };
  }
}

const callOf = ({ holder }: ClientSession) => ({ tenant: TENANT, holder });

const tensorOf = (numbers: readonly number[]) =>
  f32([numbers.length, WIDTH], Float32Array.from(numbers.flatMap((number) => [number, number + 0.5])));

/** The rows from the start to each row, as texts. */
const prefixes = (numbers: readonly number[]): string[] => numbers.map((_, at) => numbers.slice(0, at + 1).join());
