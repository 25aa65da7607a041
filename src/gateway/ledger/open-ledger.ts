/** Opens a gateway's ledger over its database, and forgets old keys as time goes. */
import type { Logger } from '../../server/observability/log.js';
import type { GatewayDatabase } from '../tables/database.js';
import { Ledger, type LedgerOptions, type LedgerStore } from './ledger.js';

/** The parts of a gateway's ledger. */
export interface OpenLedgerOptions extends Omit<LedgerOptions, 'store'> {
  readonly database: GatewayDatabase;
  readonly log: Pick<Logger, 'warn'>;
}

/** How often old keys are forgotten: a few at a time. */
const FORGET_MS = 60_000;

/** The ledger, and how to close it: before its database. */
export function openLedger({ database, log, ...options }: OpenLedgerOptions): { readonly ledger: Ledger; close(): Promise<void> } {
  const ledger = new Ledger({ ...options, store: ledgerStore(database) });
  const timer = setInterval(() => {
    ledger.forgetOld().catch((err: unknown) => log.warn({ err }, 'ledger: old keys could not be deleted'));
  }, FORGET_MS).unref();
  return {
    ledger,
    close() {
      clearInterval(timer);
      return ledger.close();
    },
  };
}

/** A ledger's store in a gateway's database. */
export function ledgerStore(database: GatewayDatabase): LedgerStore {
  return {
    write: (charges) => database.transaction(({ usage }) => usage.write(charges)),
    sessionLog: (tenant, id, most) => database.transaction(({ usage }) => usage.sessionLog(tenant, id, most)),
    forget: (before) => database.transaction(({ usage }) => usage.forget(before)),
  };
}
