/**
 * Makes and finds elements. Text is always text: nothing here takes markup, and the page's policy
 * refuses it besides.
 */

type Content = Node | string;

/** An element with attributes and content. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, string>> = {},
  ...content: readonly Content[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

/** The element of an id, which the document has. @throws Error for one that it has not */
export function at<Kind extends HTMLElement>(id: string, kind: abstract new () => Kind): Kind {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`#${id}: expected ${kind.name}`);
  return found;
}

/** {@link at} for any element. */
export const some = (id: string): HTMLElement => at(id, HTMLElement);

/** Shows a text where there was another; a status is announced again only when it has changed. */
export function say(id: string, text: string): void {
  const place = some(id);
  if (place.textContent !== text) place.textContent = text;
}

/** Shows why a panel cannot be read; undefined takes it away. */
export function sayFailure(id: string, reason: string | undefined): void {
  say(id, reason ?? '');
  some(id).hidden = reason === undefined;
}

/** A column of a table. */
export interface Column {
  readonly title: string;
  readonly number?: boolean;
}

/** A row's cells, and a key by which it is known when the table is made anew. */
export interface Row {
  readonly key: string;
  readonly cells: readonly Content[];
}

/**
 * A table with headers. On a narrow screen each row is a block, whose cells name their columns.
 * The first cell is the row's header.
 */
export function table(label: string, columns: readonly Column[], rows: readonly Row[]): HTMLElement {
  const side = (index: number): Readonly<Record<string, string>> => (columns[index]?.number === true ? { class: 'number' } : {});
  const head = columns.map(({ title }, index) => element('th', { scope: 'col', ...side(index) }, title));
  const body = rows.map(({ key, cells }) =>
    element(
      'tr',
      { 'data-key': key },
      ...cells.map((cell, index) => {
        const title = columns[index]?.title ?? '';
        const attributes = { 'data-title': title, ...side(index) };
        return index === 0 ? element('th', { scope: 'row', ...attributes }, cell) : element('td', attributes, cell);
      }),
    ),
  );
  const made = element(
    'table',
    { class: 'stacked' },
    element('caption', { class: 'hidden' }, label),
    element('thead', {}, element('tr', {}, ...head)),
    element('tbody', {}, ...body),
  );
  return element('div', { class: 'wide' }, made);
}

/** A part of a whole as a bar, which says its numbers too. */
export function meter(label: string, share: number, text: string): HTMLElement {
  const bar = element('span', { class: share >= 0.9 ? 'fill full' : share >= 0.7 ? 'fill high' : 'fill' });
  // A property of the object model: the policy of the page allows no style attribute.
  bar.style.inlineSize = `${share * 100}%`;
  const value = String(Math.round(share * 100));
  return element(
    'span',
    {
      class: 'meter',
      role: 'meter',
      'aria-label': label,
      'aria-valuemin': '0',
      'aria-valuemax': '100',
      'aria-valuenow': value,
      'aria-valuetext': text,
    },
    bar,
  );
}

/** Replaces what a place shows, and leaves the focus with the element of the same key and name. */
export function replace(place: HTMLElement, ...content: readonly Content[]): void {
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  const key = focused?.closest('[data-key]')?.getAttribute('data-key');
  const name = focused?.getAttribute('data-action');
  place.replaceChildren(...content);
  if (key === undefined || key === null || name === null || name === undefined) return;
  const row = [...place.querySelectorAll('[data-key]')].find((one) => one.getAttribute('data-key') === key);
  const again = row?.querySelector(`[data-action="${CSS.escape(name)}"]`);
  if (again instanceof HTMLElement) again.focus({ preventScroll: true });
}
