/**
 * The page `/federations` of the admin port: what the founder's status says, for people. It is one
 * HTML document without script or request. Every text of a manifest or a member is escaped.
 */
import { createHash } from 'node:crypto';
import type { Broadcast } from '../protocol/federation/chain.js';
import { card, escapeHtml, renderPage, renderTable, STYLE } from '../server/html/page.js';
import { type FederationReport, type MemberReport, silentFor } from './coordinator-api.js';

/** Nothing is loaded, and no style but the page's own counts. */
export const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** Members that the page shows. */
const MOST_MEMBERS = 64;
/** So many columns fit a telephone. */
const MOST_ROUNDS = 10;
/** Digits of an id that the commands take for it. */
const ID_SHOWN = 16;

/** A federation with the sums that its chain tells. */
export interface ShownFederation {
  readonly report: FederationReport;
  /** Members whose payloads are in the sum, by round. */
  readonly sums: ReadonlyMap<number, readonly string[]>;
}

/** The members of each sum that these broadcasts tell, by round. */
export function sumsOf(broadcasts: readonly Broadcast[]): ReadonlyMap<number, readonly string[]> {
  const sums = new Map<number, readonly string[]>();
  for (const broadcast of broadcasts)
    if ('participants' in broadcast && broadcast.round !== null) sums.set(broadcast.round, broadcast.participants);
  return sums;
}

/** @param now milliseconds since 1970 */
export function renderFederations(federations: readonly ShownFederation[], now: number): string {
  const body = federations.map((federation) => renderFederation(federation, now)).join('\n');
  return renderPage({
    title: 'Federations',
    body: `<h1>Federations</h1>\n${body === '' ? '<p>No federation yet: cutlayer coordinator create makes one.</p>' : body}
<footer>As of ${time(now)}. Load the page again for a newer state.</footer>`,
  });
}

function renderFederation({ report, sums }: ShownFederation, now: number): string {
  const { name, federation, state, reason, round, released, aborted, privacy, versions } = report;
  const promoted = versions.find(({ status }) => status === 'promoted');
  const loss = promoted?.current == null ? 'not measured' : `loss ${promoted.current.loss.toFixed(4)}`;
  const awaited = round === null ? [] : round.awaited.slice(0, MOST_MEMBERS);
  return `<section>
<h2>${escapeHtml(name)}</h2>
<p><small title="${escapeHtml(federation)}">${escapeHtml(federation.slice(0, ID_SHOWN))}</small><br>${escapeHtml(reason === '' ? state : `${state}: ${reason}`)}</p>
<div class="cards">
${card('Round under way', round === null ? 'none' : `${round.round}`, round === null ? 'the next has not begun' : `${round.purpose}, ${round.stage}, for ${span(round.stageMs)}`)}
${card('Rounds', `${released} released`, `${aborted} aborted`)}
${card('Promoted version', promoted === undefined ? 'none' : `${promoted.version}`, loss)}
${privacy === null ? card('Privacy', 'none', 'no differential privacy') : card('Privacy spent', `epsilon ${privacy.epsilon.toFixed(3)}`, `of ${privacy.maxEpsilon}, unit ${privacy.unit}, delta ${privacy.delta}, ${privacy.rounds} rounds`)}
</div>
${awaited.length === 0 ? '' : `<p>The round waits for ${awaited.map((member) => `<b>${escapeHtml(member)}</b>`).join(', ')}.</p>`}
<h3>Members and rounds</h3>
${renderMatrix(report, sums, now)}
${renderAborted(report)}
</section>`;
}

/** Members down, the newest rounds across. A member that a round has lost is red. */
function renderMatrix({ members, recent, round }: FederationReport, sums: ShownFederation['sums'], now: number): string {
  const rounds = [...recent].slice(0, MOST_ROUNDS).reverse();
  const cell = (name: string, at: FederationReport['recent'][number]): string => {
    if (at.lost.includes(name)) return '<td class="lost" title="lost">✗</td>';
    if (at.aborted !== null) return '<td title="aborted">–</td>';
    return sums.get(at.round)?.includes(name) === true ? '<td title="in the sum">✓</td>' : '<td title="not in the sum"></td>';
  };
  const present = (name: string): string => {
    if (round === null) return '';
    const mark = round.answered.includes(name)
      ? ['has answered', '✓']
      : round.awaited.includes(name)
        ? ['awaited', '…']
        : ['not asked', ''];
    return `<td title="${mark[0]}">${mark[1]}</td>`;
  };
  const rows = members
    .slice(0, MOST_MEMBERS)
    .map(
      (member) =>
        `<tr><th>${escapeHtml(member.name)}<br><small>${seen(member, now)}</small></th>${rounds.map((at) => cell(member.name, at)).join('')}${present(member.name)}</tr>`,
    );
  const head = [...rounds.map((at) => `<th>${at.round}</th>`), ...(round === null ? [] : [`<th>${round.round}</th>`])].join('');
  const more = members.length - MOST_MEMBERS;
  return `<div class="wide"><table class="matrix"><thead><tr><th>Member</th>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>
<p><small>✓ in the sum, or has answered; ✗ lost; – aborted round; … awaited.${more > 0 ? ` ${more} more members are in cutlayer coordinator status --json.` : ''}</small></p>`;
}

function renderAborted({ recent }: FederationReport): string {
  const rows = recent.flatMap(({ round, purpose, aborted, at }) =>
    aborted === null ? [] : [[`${round}`, purpose, time(at), escapeHtml(aborted)]],
  );
  if (rows.length === 0) return '';
  return `<h3>Aborted rounds</h3>\n${renderTable([{ title: 'Round', number: true }, { title: 'Purpose' }, { title: 'When' }, { title: 'Reason' }], rows)}`;
}

function seen(member: MemberReport, now: number): string {
  if (member.seenAt === null) return 'never seen';
  const silent = silentFor(member, now);
  return silent === undefined ? 'here' : `seen ${span(silent)} ago`;
}

const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

function span(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
