/** The route of the federations of a coordinator that the operator has named. */
import { CutlayerError } from '../../errors.js';
import { Cached } from './cached.js';
import { coordinatorFederations } from './coordinator-metrics.js';
import { type FederationsAnswer, federationsSchema } from './federations-answer.js';
import { type ApiRoute, apiRoute } from './route.js';

/** The coordinator is asked at most once in this time. */
const KEEP_MS = 5000;

/** @param coordinator address of its admin port */
export function federationsRoute(coordinator: string | undefined): ApiRoute {
  const known = new Cached(KEEP_MS, () => read(coordinator));
  return apiRoute({
    ...{ method: 'get', path: '/v1/admin/federations', operation: 'listFederations' },
    summary: 'Lists the federations of the coordinator that --coordinator names',
    ...{ scopes: ['admin'], status: 200, errors: [] },
    answer: federationsSchema,
    run: () => known.get(),
  });
}

async function read(coordinator: string | undefined): Promise<FederationsAnswer> {
  if (coordinator === undefined) return { coordinator: null, page: null, answers: false, reason: null, federations: [] };
  const named = { coordinator, page: new URL('/federations', coordinator).href };
  try {
    return { ...named, answers: true, reason: null, federations: [...(await coordinatorFederations(coordinator))] };
  } catch (caught) {
    return { ...named, answers: false, reason: CutlayerError.from(caught).message, federations: [] };
  }
}
