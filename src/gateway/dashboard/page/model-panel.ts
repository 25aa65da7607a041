/** The panel of the model: its card, and the policies that protect it. */
import type { ModelAnswer, ShownPolicy } from '../../admin/model-answer.js';
import { read } from './api.js';
import { element, replace, some, table } from './elements.js';
import { bytes, count, left, orNone, percent, words } from './format.js';

/** Reads and shows the card. @throws AskError */
export async function showModel(): Promise<void> {
  const model = await read<ModelAnswer>('/model');
  const { protection } = model;
  const own = protection.own.map(({ tenant, policies }) => ({
    key: tenant,
    cells: [tenant, policies.map(({ name, bound }) => `${name} ${orBound(bound)}`).join('; ')],
  }));
  replace(
    some('model-card'),
    facts(factsOf(model)),
    element('h3', {}, 'Protection'),
    element('p', { class: 'note' }, `An alarm is raised at ${percent(protection.alarmAt)} of a bound that counts through a day.`),
    policyTable(protection.standard),
    ...(own.length === 0
      ? [element('p', { class: 'note' }, 'These bounds hold for every tenant.')]
      : [
          element('h3', {}, 'Tenants with bounds of their own'),
          table('Tenants with bounds of their own', [{ title: 'Tenant' }, { title: 'Bounds' }], own),
        ]),
  );
}

const orBound = (bound: number | null): string => (bound === null ? 'no bound' : count(bound));

function factsOf(model: ModelAnswer): readonly (readonly [string, string])[] {
  const { dims, limits, cut, prices } = model;
  const sizes = Object.entries(dims).map(([name, value]) => `${words(name)} ${count(value)}`);
  const blocks = (value: number): string => `${value} ${value === 1 ? 'block' : 'blocks'}`;
  const { maxMessageBytes, maxDeadlineMs, ...rest } = limits;
  const bounds = [
    ...Object.entries(rest).map(([name, value]) => `${words(name)} ${count(value)}`),
    `message ${bytes(maxMessageBytes ?? 0)}`,
    `time ${left(maxDeadlineMs ?? 0)}`,
  ];
  return [
    ['Model', model.name],
    ['Family', model.family],
    ['Digest of the backbone', model.backboneDigest],
    ['Cut', `${blocks(cut.bottom)} below and ${blocks(cut.top)} above it are with the client`],
    ['Dimensions', sizes.join(', ')],
    ['Adapters', `${model.adapters.join(', ')}; a prefix from a text: ${model.prefixInit ? 'allowed' : 'not allowed'}`],
    ['Limits of a step', bounds.join(', ')],
    ['Decode sessions', model.maxDecodeRows === 0 ? 'none' : `up to ${count(Math.max(model.maxDecodeRows, model.maxLongDecodeRows))} rows`],
    ['Served until', model.shutdownDate ?? 'no date is announced'],
    ['Prices', prices === null ? 'none are stated' : priceText(prices)],
  ];
}

function priceText(prices: Readonly<Record<string, string>>): string {
  const { currency, gigabyte, ...rows } = prices;
  const perRows = Object.entries(rows).map(([name, price]) => `${name} ${price}`);
  return `${currency ?? ''}: ${perRows.join(', ')} for a million rows; ${gigabyte ?? '0'} for a gigabyte`;
}

const facts = (entries: readonly (readonly [string, string])[]): Node =>
  element(
    'dl',
    { class: 'facts' },
    ...entries.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
  );

function policyTable(policies: readonly ShownPolicy[]): Node {
  const columns = [{ title: 'Policy' }, { title: 'Bound', number: true }, { title: 'What it counts' }];
  return table(
    'Policies of protection',
    columns,
    policies.map(({ name, bound, text }) => ({ key: name, cells: [name, orNone(bound, orBound), text] })),
  );
}
