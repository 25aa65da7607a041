/** The page of federations as the admin port serves it: read once for all that ask at a time. */
import { parseJson } from '../files/json-text.js';
import type { Broadcast, SignedBroadcast } from '../protocol/federation/chain.js';
import type { AdminPage } from '../server/admin/app.js';
import type { CoordinatorApi } from './coordinator-api.js';
import { PAGE_POLICY, renderFederations, type ShownFederation, sumsOf } from './federations-page.js';

/** Federations that the page shows. */
const MOST_FEDERATIONS = 50;
/** Broadcasts that are read for the sums of the newest rounds. */
const NEWEST_BROADCASTS = 64;

/** @param now milliseconds since 1970 */
export function federationsPage(coordinator: Pick<CoordinatorApi, 'status' | 'reader'>, now: () => number): AdminPage {
  const make = async (): Promise<string> => {
    const reports = (await coordinator.status()).slice(0, MOST_FEDERATIONS);
    const shown = await Promise.all(
      reports.map(async (report): Promise<ShownFederation> => {
        const broadcasts = await coordinator.reader(report.federation).broadcasts(Math.max(0, report.broadcasts - NEWEST_BROADCASTS));
        return { report, sums: sumsOf(broadcasts.map(contentOf)) };
      }),
    );
    return renderFederations(shown, now());
  };
  let making: Promise<string> | undefined;
  return {
    path: '/federations',
    policy: PAGE_POLICY,
    html: () => {
      making ??= make().finally(() => {
        making = undefined;
      });
      return making;
    },
  };
}

/** This coordinator has signed and stored it. */
const contentOf = ({ bytes }: SignedBroadcast): Broadcast => parseJson(new TextDecoder().decode(bytes)) as Broadcast;
