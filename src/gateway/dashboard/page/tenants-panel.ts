/** The panel of tenants: what they use of their limits, and the orders to suspend and resume. */
import type { TenantUse, UseAnswer } from '../../admin/use-answer.js';
import { order, read } from './api.js';
import { at, element, meter, replace, say, some, table } from './elements.js';
import { bytes, count, left, percent, shareOf, words } from './format.js';

type Used = TenantUse['limits'][number];

const names: Readonly<Record<string, string>> = {
  requestsPerSecond: 'requests this second',
  tokensPerMinute: 'tokens this minute',
  tokensPerDay: 'tokens today',
  concurrentSteps: 'calls at once',
  inFlightBytes: 'bytes in flight',
  residualBytes: 'kept steps',
  keyValueBytes: 'keys and values',
  decodeSessions: 'decode sessions',
};

/** The panel. */
export class TenantsPanel {
  /** The last name of each earlier page. */
  #after = '';
  #next: string | null = null;
  readonly #self: () => string;
  readonly #changed: () => void;

  /**
   * @param self the tenant that has signed in
   * @param changed called when another page, another filter or another state is to be shown
   */
  constructor(self: () => string, changed: () => void) {
    this.#self = self;
    this.#changed = changed;
    const go = (after: string): void => {
      this.#after = after;
      changed();
    };
    some('tenants-form').addEventListener('submit', (event) => event.preventDefault());
    some('tenants-part').addEventListener('input', () => go(''));
    some('tenants-first').addEventListener('click', () => go(''));
    some('tenants-next').addEventListener('click', () => go(this.#next ?? ''));
  }

  /** Reads and shows. @throws AskError */
  async show(): Promise<void> {
    const part = at('tenants-part', HTMLInputElement).value.trim();
    const answer = await read<UseAnswer>('/use', { limit: '25', after: this.#after, part });
    // What was typed meanwhile is asked for already.
    if (part !== at('tenants-part', HTMLInputElement).value.trim()) return;
    this.#next = answer.next;
    some('tenants-first').hidden = this.#after === '';
    some('tenants-next').hidden = answer.next === null;
    say('tenants-count', `${count(answer.total)} ${answer.total === 1 ? 'tenant' : 'tenants'}`);
    replace(some('tenants-table'), this.#table(answer, part));
  }

  #table({ tenants, currency }: UseAnswer, part: string): Node {
    if (tenants.length === 0) {
      const none =
        part === ''
          ? 'No tenants yet: the first call with a token makes one, and so does cutlayer gateway tenant create.'
          : 'No tenant has such a name.';
      return element('p', { class: 'note' }, none);
    }
    const priced = currency === null ? [] : [{ title: `Cost today, ${currency}`, number: true }];
    const columns = [
      { title: 'Tenant' },
      { title: 'Used of its limits' },
      { title: 'Forward today', number: true },
      { title: 'Backward today', number: true },
      { title: 'Decoded today', number: true },
      { title: 'Traffic today', number: true },
      ...priced,
      { title: 'Order' },
    ];
    const rows = tenants.map((tenant) => {
      const { name, status, limits, today } = tenant;
      const state = element('span', { class: `state ${status}` }, status);
      return {
        key: name,
        cells: [
          element('span', { class: 'name' }, name, ' ', state),
          limitList(name, limits),
          `${count(today.forward)} rows`,
          `${count(today.backward)} rows`,
          `${count(today.decoded)} rows`,
          bytes(today.bytesIn + today.bytesOut),
          ...(today.cost === null ? [] : [today.cost.replace(/(\.\d\d)\d*$/, '$1')]),
          this.#orderButton(tenant),
        ],
      };
    });
    return table('Tenants', columns, rows);
  }

  #orderButton({ name, status }: TenantUse): Node {
    const action = status === 'active' ? 'suspend' : 'resume';
    const label = action === 'suspend' ? 'Suspend' : 'Resume';
    const button = element('button', { type: 'button', 'data-action': action, 'aria-label': `${label} ${name}` }, label);
    button.addEventListener('click', () => this.#ask(name, action, label));
    return button;
  }

  /** Asks before an order; the dialog keeps the focus, and Escape leaves all as it is. */
  #ask(tenant: string, action: 'suspend' | 'resume', label: string): void {
    const dialog = at('confirm', HTMLDialogElement);
    const [yes, no] = [at('confirm-yes', HTMLButtonElement), at('confirm-no', HTMLButtonElement)];
    say('confirm-title', `${label} ${tenant}?`);
    const own = tenant === this.#self() ? ' You have signed in as this tenant: the page ends with it.' : '';
    const what =
      action === 'suspend' ? 'Its calls and streams end now, and new ones are refused. Its data stays.' : 'Its calls are served again.';
    say('confirm-text', `${what} The audit log has an entry of it.${own}`);
    say('confirm-failure', '');
    say('confirm-yes', label);
    yes.disabled = false;
    yes.onclick = async () => {
      yes.disabled = true;
      try {
        await order(`/tenants/${encodeURIComponent(tenant)}/${action}`);
        dialog.close();
      } catch (error) {
        say('confirm-failure', error instanceof Error ? error.message : String(error));
        yes.disabled = false;
      }
      this.#changed();
    };
    no.onclick = () => dialog.close();
    // The row may have been made anew meanwhile, and its button with it.
    dialog.onclose = () => {
      const row = [...document.querySelectorAll('#tenants-table [data-key]')].find((one) => one.getAttribute('data-key') === tenant);
      row?.querySelector('button')?.focus({ preventScroll: true });
    };
    dialog.showModal();
    no.focus();
  }
}

function limitList(tenant: string, limits: readonly Used[]): Node {
  const shown = limits.filter(({ used, max }) => max !== null || (used ?? 0) > 0);
  if (shown.length === 0) return element('span', { class: 'note' }, 'nothing now; no limits of its own');
  return element(
    'ul',
    { class: 'limits' },
    ...shown.map(({ name, used, max, resetMs }) => {
      const title = names[name] ?? words(name);
      const unit = name.endsWith('Bytes') ? bytes : count;
      if (max === null) return element('li', {}, element('span', {}, title), element('b', {}, unit(used ?? 0)));
      const share = shareOf(used ?? 0, max);
      const again = resetMs !== null && resetMs > 2000 ? `, anew in ${left(resetMs)}` : '';
      const text = `${unit(used ?? 0)} of ${unit(max)}`;
      return element(
        'li',
        {},
        element('span', {}, title),
        element('b', {}, text),
        meter(`${title} of ${tenant}`, share, `${percent(share)}: ${text}`),
        element('small', {}, `${percent(share)}${again}`),
      );
    }),
  );
}
