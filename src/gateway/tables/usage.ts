/** The ledger's rows: sums by tenant, hour, model and adapter, and the keys of what was charged. */
import type { SpanKind } from '../../artifacts/manifest.js';
import { type Amounts, amountNames, type Charge, keyText, sumAmounts } from '../ledger/charge.js';
import type { SessionLog } from '../ledger/session-usage.js';
import { Repository } from './repository.js';
import type { GatewaySchema } from './schema.js';

/** Work of one tenant, hour, model and adapter. */
export interface UsageHour extends Amounts {
  readonly tenant: string;
  /** The beginning of the hour or period, in milliseconds since 1970. */
  readonly hour: number;
  readonly model: string;
  readonly modelName: string;
  readonly adapter: SpanKind;
}

/** Which hours are read, and how they are put together. */
export interface UsageQuery {
  /** Undefined: all. */
  readonly tenant?: string | undefined;
  readonly model?: string | undefined;
  readonly adapter?: string | undefined;
  /** Milliseconds since 1970: hours that begin in [from, to). */
  readonly from: number;
  readonly to: number;
  /** Of a sum: an hour, or whole ones. Default: an hour. */
  readonly periodMs?: number;
  /** Sums to leave out, and most sums to give. */
  readonly offset?: number;
  readonly limit: number;
}

export const HOUR_MS = 3_600_000;

const columnOf = {
  forward: 'forward',
  backward: 'backward',
  decoded: 'decoded',
  cached: 'cached',
  bytesIn: 'bytes_in',
  bytesOut: 'bytes_out',
  calls: 'calls',
} as const satisfies Readonly<Record<keyof Amounts, keyof GatewaySchema['usage_hours']>>;

/** Within one transaction. */
export class Usage extends Repository {
  /**
   * Writes charges whose keys are new, with their sums.
   * @returns for each charge whether it was new
   */
  async write(charges: readonly Charge[]): Promise<readonly boolean[]> {
    if (charges.length === 0) return [];
    // In one order for all gateways: so none waits for another that waits for it.
    const rows = [...charges]
      .sort((a, b) => (keyText(a) < keyText(b) ? -1 : 1))
      .map(({ tenant, kind, id, part, at, content = null }) => ({ tenant, kind, id, part, at, content }));
    const added = await this.db
      .insertInto('usage_charges')
      .values(rows)
      .onConflict((conflict) => conflict.columns(['tenant', 'kind', 'id', 'part']).doNothing())
      .returning(['tenant', 'kind', 'id', 'part'])
      .execute();
    const fresh = new Set(added.map((key) => keyText(key as Charge))); // only this class writes the columns
    // A key that comes twice in one group is new once.
    const isNew = charges.map((charge) => fresh.delete(keyText(charge)));
    await this.#add(hoursOf(charges.filter((_, at) => isNew[at])));
    return isNew;
  }

  /** The newest entries of a decode session, at most `most`. */
  async sessionLog(tenant: string, id: string, most: number): Promise<SessionLog> {
    const rows = await this.db
      .selectFrom('usage_charges')
      .select(['part', 'content'])
      .where('tenant', '=', tenant)
      .where('kind', '=', 'decode')
      .where('id', '=', id)
      .orderBy('part', 'desc')
      .limit(most)
      .execute();
    const next = rows[0] === undefined ? 0 : Number(rows[0].part) + 1;
    return { next, content: rows.reverse().flatMap(({ content }) => (content === null ? [] : [content])) };
  }

  /** Deletes the keys of charges before a time. */
  async forget(before: number): Promise<void> {
    await this.db.deleteFrom('usage_charges').where('at', '<', before).execute();
  }

  /** Deletes what a tenant has used. */
  async deleteTenant(tenant: string): Promise<void> {
    for (const table of ['usage_charges', 'usage_hours'] as const) await this.db.deleteFrom(table).where('tenant', '=', tenant).execute();
  }

  /** Sums by period, tenant, model and adapter, in an order that stays the same. */
  async sums({ tenant, model, adapter, from, to, periodMs = HOUR_MS, offset = 0, limit }: UsageQuery): Promise<UsageHour[]> {
    const of = Object.entries({ tenant, model, adapter }) as ['tenant' | 'model' | 'adapter', string | undefined][]; // the names above
    let query = this.db.selectFrom('usage_hours').where('hour', '>=', from).where('hour', '<', to);
    for (const [column, value] of of) if (value !== undefined) query = query.where(column, '=', value);
    const rows = await query
      .select((eb) => [
        ...(['tenant', 'model', 'adapter'] as const),
        eb('hour', '-', eb('hour', '%', periodMs)).as('period'),
        eb.fn.max('model_name').as('modelName'),
        ...amountNames.map((name) => eb.fn.sum<number | string>(columnOf[name]).as(name)),
      ])
      .groupBy(['period', 'tenant', 'model', 'adapter'])
      .orderBy('period')
      .orderBy('tenant')
      .orderBy('model')
      .orderBy('adapter')
      .limit(limit)
      .offset(offset)
      .execute();
    return rows.map(({ period, adapter: kind, ...row }) => ({
      ...row,
      ...(Object.fromEntries(amountNames.map((name) => [name, Number(row[name])])) as Amounts), // one of each name
      hour: Number(period),
      adapter: kind as SpanKind, // only this class writes the column
    }));
  }

  async #add(hours: readonly UsageHour[]): Promise<void> {
    if (hours.length === 0) return;
    const rows = hours.map(({ modelName, bytesIn, bytesOut, ...row }) => ({
      ...row,
      model_name: modelName,
      bytes_in: bytesIn,
      bytes_out: bytesOut,
    }));
    await this.db
      .insertInto('usage_hours')
      .values(rows)
      .onConflict((conflict) =>
        conflict.columns(['tenant', 'hour', 'model', 'adapter']).doUpdateSet((eb) => {
          const sums = amountNames.map((name) => [
            columnOf[name],
            eb(`usage_hours.${columnOf[name]}`, '+', eb.ref(`excluded.${columnOf[name]}`)),
          ]);
          return Object.fromEntries(sums);
        }),
      )
      .execute();
  }
}

/** The sums of charges, in one order for all gateways. */
function hoursOf(charges: readonly Charge[]): readonly UsageHour[] {
  const groups = new Map<string, Charge[]>();
  for (const charge of charges) {
    const { tenant, at, model, adapter, amounts } = charge;
    // An entry that only notes what a fork has paid for counts nothing.
    if (amounts.calls === undefined) continue;
    const key = JSON.stringify([tenant, hourOf(at), model, adapter]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [charge]);
    else group.push(charge);
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, group]) => {
      const { tenant, at, model, modelName, adapter } = group[0]!;
      return { tenant, hour: hourOf(at), model, modelName, adapter, ...sumAmounts(group.map(({ amounts }) => amounts)) };
    });
}

const hourOf = (at: number): number => at - (at % HOUR_MS);
