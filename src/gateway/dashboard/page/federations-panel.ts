/** The panel of federations, as the metrics of a coordinator tell them. */
import type { FederationsAnswer, ShownFederation } from '../../admin/federations-answer.js';
import { read } from './api.js';
import { element, replace, sayFailure, some, table } from './elements.js';
import { count, orNone } from './format.js';

const ID_SHOWN = 16;

/** Reads and shows federations. @throws AskError */
export async function showFederations(): Promise<void> {
  const answer = await read<FederationsAnswer>('/federations');
  sayFailure('federations-failure', answer.reason ?? undefined);
  replace(some('federations-list'), ...content(answer));
}

function content({ coordinator, page, answers, federations }: FederationsAnswer): readonly Node[] {
  if (coordinator === null || page === null) {
    const none =
      'No coordinator is named. A gateway is no part of a federation: start it with --coordinator and the address of the admin port of one.';
    return [element('p', { class: 'note' }, none)];
  }
  const link = element('a', { href: page, rel: 'noreferrer noopener', target: '_blank' }, page);
  const more = element('p', { class: 'note' }, 'Members, lost ones and reasons are on the page of the coordinator: ', link);
  if (!answers) return [more];
  if (federations.length === 0) return [element('p', { class: 'note' }, 'The coordinator has no federations.'), more];
  const columns = [
    { title: 'Federation' },
    { title: 'Round' },
    { title: 'Cohort', number: true },
    { title: 'Released', number: true },
    { title: 'Aborted', number: true },
    { title: 'Version', number: true },
    { title: 'Loss, nats', number: true },
    { title: 'Epsilon per client', number: true },
  ];
  return [table('Federations', columns, federations.map(rowOf)), more];
}

function rowOf({ id, running, round, cohort, released, aborted, promoted, loss, epsilon, maxEpsilon }: ShownFederation) {
  const places = (digits: number) => (value: number) => value.toFixed(digits);
  return {
    key: id,
    cells: [
      element(
        'span',
        { title: id },
        id.slice(0, ID_SHOWN),
        ' ',
        element('span', { class: running ? 'state active' : 'state' }, running ? 'running' : 'not running'),
      ),
      orNone(round, (value) => `${count(value)} under way`),
      orNone(cohort, (value) => `${count(value)} members`),
      orNone(released, count),
      orNone(aborted, count),
      orNone(promoted, count),
      orNone(loss, places(4)),
      epsilon === null ? 'none' : `${places(3)(epsilon)} of ${orNone(maxEpsilon, String)}`,
    ],
  };
}
