/** The work of `cutlayer gateway inspect-policy`. */
import { loadBackbone } from '../../../artifacts/store.js';
import { stdout } from '../../../files/output.js';
import type { OwnPolicy } from '../../../gateway/protection/bounds.js';
import { embeddingRange } from '../../../gateway/protection/embedding-range.js';
import { type FilePolicies, type PlacedPolicy, Policies } from '../../../gateway/protection/policies.js';
import { standardPolicy } from '../../../gateway/protection/policy.js';
import { readPolicies } from '../../../gateway/protection/policy-file.js';
import { inspectedPolicy, policyLines } from './policy-text.js';

/** What the command gets. */
export interface InspectPolicyFlags {
  readonly tenant?: string | undefined;
  readonly backbone?: string | undefined;
  readonly format: 'text' | 'json';
}

/** No tenant has this name, so its policy is that of all others. */
const OTHERS = '';

/** @throws CutlayerError NOT_FOUND, INVALID_CONFIG naming the line; of the backbone */
export async function runInspectPolicy(file: string, { tenant, backbone, format }: InspectPolicyFlags): Promise<void> {
  const model = backbone === undefined ? undefined : (await loadBackbone(backbone, { verify: false })).manifest;
  const embedding = embeddingRange(model?.embeddingNorms);
  const [least, most] = model === undefined ? [0, Number.POSITIVE_INFINITY] : [model.dims.hiddenSize, model.dims.hiddenSize];
  const named = await readPolicies(file, { standard: standardPolicy(least), embedding });
  const placed = (name: string) => inspectedPolicy(placedUnder(least, embedding, named, name), placedUnder(most, embedding, named, name));
  const tenants = tenant === undefined ? [...named.tenants.keys()] : [tenant];
  if (format === 'json') {
    const own = Object.fromEntries(tenants.map((name) => [name, placed(name)]));
    stdout.json({ file, ...(tenant === undefined && { default: placed(OTHERS) }), tenants: own }, 2);
    return;
  }
  const sections = tenants.map((name) => [`tenant ${name}`, ...policyLines(placed(name), name)]);
  if (tenant === undefined) sections.unshift(['every other tenant', ...policyLines(placed(OTHERS), OTHERS)]);
  for (const line of sections.flat()) stdout.line(line);
}

function placedUnder(width: number, embedding: OwnPolicy, file: FilePolicies, tenant: string): PlacedPolicy {
  return new Policies({ standard: standardPolicy(width), embedding, file, rows: { protectionOf: () => null } }).placed(tenant);
}
