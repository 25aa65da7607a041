/** The route of the model card, with the protection policy of all tenants and of single ones. */
import type { BackboneArtifact } from '../../artifacts/store.js';
import { kebab } from '../../options/option.js';
import { type Policy, policyNames, policyTexts } from '../protection/policy.js';
import type { Protection } from '../protection/protection.js';
import { type BackbonePolicy, modelResponse } from '../split/get-model.js';
import type { SplitLimits } from '../split/limits.js';
import type { TenantDirectory } from '../tenants/directory.js';
import { type ModelAnswer, modelSchema, type ShownPolicy } from './model-answer.js';
import { type ApiRoute, apiRoute } from './route.js';

/** What the route is over. */
export interface ModelRouteOptions {
  readonly artifact: BackboneArtifact;
  readonly limits: SplitLimits;
  readonly stated: BackbonePolicy;
  readonly protection: Pick<Protection, 'policyOf'>;
  readonly directory: Pick<TenantDirectory, 'store'>;
}

/** Tenants whose own bounds are shown. */
const MOST_OWN = 100;
/** No tenant has this name, so its policy is the standard one. */
const ANYONE = '';

/** The route. */
export function modelRoute({ artifact, limits, stated, protection, directory }: ModelRouteOptions): ApiRoute {
  const { name, family, dims, cut, graphs } = artifact.manifest;
  const card = modelResponse(artifact, limits, stated);
  const ownPolicies = async (standard: Policy): Promise<ModelAnswer['protection']['own']> => {
    const tenants = (await directory.store.list()).filter(({ status }) => status !== 'deleted');
    const own = tenants.flatMap(({ name: tenant }) => {
      const policy = protection.policyOf(tenant);
      const differing = policyNames.filter((one) => policy[one] !== standard[one]);
      return differing.length === 0 ? [] : [{ tenant, policies: shown(policy, differing) }];
    });
    return own.slice(0, MOST_OWN);
  };
  return apiRoute({
    ...{
      method: 'get',
      path: '/v1/admin/model',
      operation: 'showModel',
      summary: 'Shows the model card and the policies of its protection',
    },
    ...{ scopes: ['admin'], status: 200, errors: [] },
    answer: modelSchema,
    async run() {
      const standard = protection.policyOf(ANYONE);
      const { maxMessageBytes, maxBatch, maxTokens, maxVirtualTokens, maxDeadlineMs } = limits;
      return {
        ...{ name, family, backboneDigest: artifact.digest, dims: { ...dims }, cut: { bottom: cut.bottom, top: cut.top } },
        limits: { maxMessageBytes, maxBatch, maxTokens, maxVirtualTokens, maxDeadlineMs },
        adapters: ['soft prompt', ...(graphs.prefix === undefined ? [] : ['prefix'])],
        prefixInit: stated.prefixInit,
        maxDecodeRows: card.maxDecodeRows ?? 0,
        maxLongDecodeRows: card.maxLongDecodeRows ?? 0,
        shutdownDate: stated.shutdownDate ?? null,
        prices: stated.prices === undefined ? null : { ...stated.prices },
        protection: { standard: shown(standard, policyNames), alarmAt: standard.alarmAt, own: await ownPolicies(standard) },
      };
    },
  });
}

const shown = (policy: Policy, names: typeof policyNames): ShownPolicy[] =>
  names.map((name) => ({ name: kebab(name), bound: policy[name] ?? null, text: policyTexts[name] }));
