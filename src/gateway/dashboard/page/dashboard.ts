/**
 * The program of `/admin`. It asks for each panel at its own pace, one question of a kind at a
 * time, and none while the page is not seen.
 */
import type { LoadAnswer } from '../../admin/load-answer.js';
import { AskError, read, type SessionState, session, signOut } from './api.js';
import { showAudit } from './audit-panel.js';
import { Charts } from './charts.js';
import { at, say, sayFailure, some } from './elements.js';
import { showFederations } from './federations-panel.js';
import { left, time } from './format.js';
import { showLoad } from './load-panel.js';
import { showModel } from './model-panel.js';
import { beginSignIn, showSignIn } from './sign-in.js';
import { TenantsPanel } from './tenants-panel.js';

/** A panel that is read again and again. */
interface Reading {
  readonly everyMs: number;
  readonly show: () => Promise<void>;
  /** Of the performance clock. */
  dueAt: number;
  busy: boolean;
}

type Panel = 'load' | 'tenants' | 'audit' | 'model' | 'federations';
type SignedIn = Extract<SessionState, { signedIn: true }>;

const TICK_MS = 500;
/** Pause of a panel whose reading failed. */
const FAILED_MS = 5000;

let signedIn: SignedIn | undefined;
let endsAt = 0;
let ticking: number | undefined;

const charts = new Charts();
const tenants = new TenantsPanel(
  () => signedIn?.tenant ?? '',
  () => readNow('tenants'),
);

const reading = (everyMs: number, show: () => Promise<void>): Reading => ({ everyMs, show, dueAt: 0, busy: false });
const readings: Readonly<Record<Panel, Reading>> = {
  load: reading(2000, readLoad),
  tenants: reading(4000, () => tenants.show()),
  audit: reading(4000, () => showAudit(chosen('kind'))),
  model: reading(60_000, showModel),
  federations: reading(10_000, showFederations),
};

const chosen = (name: string): string => document.querySelector<HTMLInputElement>(`input[name="${name}"]:checked`)?.value ?? '';

async function readLoad(): Promise<void> {
  const answer = await read<LoadAnswer>('/load', { span: charts.span, after: String(charts.newest) });
  showLoad(answer.now);
  charts.take(answer.history);
  say('read-at', `As of ${time(answer.at)}. Points of the charts are kept for a day in the memory of this gateway.`);
}

/** Reads a panel at once. */
function readNow(panel: Panel): void {
  readings[panel].dueAt = 0;
  tick();
}

function tick(): void {
  if (signedIn === undefined || document.hidden) return;
  say('who', `${signedIn.tenant}, for ${left(endsAt - performance.now())}`);
  for (const [panel, one] of Object.entries(readings) as [Panel, Reading][]) {
    if (!one.busy && performance.now() >= one.dueAt) void readPanel(panel, one);
  }
}

async function readPanel(panel: Panel, one: Reading): Promise<void> {
  one.busy = true;
  one.dueAt = performance.now() + one.everyMs;
  try {
    await one.show();
    if (panel !== 'federations') sayFailure(`${panel}-failure`, undefined);
    if (panel === 'load') sayFailure('offline', undefined);
  } catch (error) {
    failed(panel, error);
    one.dueAt = performance.now() + FAILED_MS;
  } finally {
    one.busy = false;
  }
}

function failed(panel: Panel, error: unknown): void {
  if (!(error instanceof AskError)) throw error;
  if (error.status === 401 || (error.status === 403 && panel === 'load')) leave('The session has ended: sign in again.');
  else if (error.status === 0 && panel === 'load')
    sayFailure('offline', 'The gateway does not answer. What is shown is of an earlier moment; the page tries again.');
  else if (error.status !== 0) sayFailure(`${panel}-failure`, `This could not be read: ${error.message}`);
}

function enter(state: SessionState): void {
  if (!state.signedIn) {
    showSignIn();
    return;
  }
  [signedIn, endsAt] = [state, performance.now() + state.leftMs];
  some('sign-in').hidden = true;
  some('dashboard').hidden = false;
  for (const one of Object.values(readings)) one.dueAt = 0;
  clearInterval(ticking);
  ticking = setInterval(tick, TICK_MS);
  tick();
}

/** Back to the form; nothing that was shown stays. */
function leave(reason = ''): void {
  if (signedIn === undefined) return;
  signedIn = undefined;
  clearInterval(ticking);
  some('dashboard').hidden = true;
  at('confirm', HTMLDialogElement).close();
  charts.choose(charts.span);
  for (const id of ['tenants-table', 'audit-table', 'model-card', 'federations-list', 'load-cards']) some(id).replaceChildren();
  showSignIn(reason);
}

some('sign-out').addEventListener('click', () => {
  signOut().then(
    () => leave(),
    (error: unknown) =>
      error instanceof AskError && error.status === 401 ? leave() : sayFailure('offline', `Signing out failed: ${String(error)}`),
  );
});
some('spans').addEventListener('change', () => {
  charts.choose(chosen('span') === 'day' ? 'day' : 'hour');
  readNow('load');
});
some('kinds').addEventListener('change', () => readNow('audit'));
document.addEventListener('visibilitychange', tick);

beginSignIn((state) => {
  enter(state);
  // The form had the focus.
  some('content').focus({ preventScroll: true });
});
session().then(enter, (error: unknown) => showSignIn(`The session cannot be looked at: ${String(error)}`));
