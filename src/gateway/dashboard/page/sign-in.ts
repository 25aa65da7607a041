/** The form of the sign-in. What was typed is forgotten as soon as it was sent. */
import { AskError, type SessionState, signIn, tokenOf } from './api.js';
import { at, say, some } from './elements.js';

/** One text for everything that is not accepted. */
const REFUSED = 'Sign-in was refused: expected a token of this gateway with the scope admin, or such a client. It may have expired.';
/** The form of a token (RFC 6750 sec. 2.1). */
const TOKEN = /^[A-Za-z0-9._~+/=-]+$/;

/** Wires the form. @param done called with the session of a sign-in that succeeded */
export function beginSignIn(done: (state: SessionState) => void): void {
  const means = (): string => document.querySelector<HTMLInputElement>('input[name="means"]:checked')?.value ?? 'token';
  for (const choice of document.querySelectorAll('input[name="means"]')) {
    choice.addEventListener('change', () => {
      some('by-token').hidden = means() !== 'token';
      some('by-client').hidden = means() !== 'client';
    });
  }
  const button = at('sign-in-button', HTMLButtonElement);
  some('sign-in-form').addEventListener('submit', (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    say('sign-in-failure', '');
    const trying = means() === 'token' ? byToken() : byClient();
    trying
      .then(done)
      .catch((error: unknown) => say('sign-in-failure', reasonOf(error)))
      .finally(() => {
        button.disabled = false;
      });
  });
  at('token', HTMLTextAreaElement).addEventListener('keydown', (event) => {
    // A token is one line: Enter sends it.
    if (event.key !== 'Enter' || event.isComposing) return;
    event.preventDefault();
    at('sign-in-form', HTMLFormElement).requestSubmit();
  });
}

/** Shows the form. @param reason why it is there again */
export function showSignIn(reason = ''): void {
  some('sign-in').hidden = false;
  say('sign-in-failure', reason);
  const field = document.querySelector<HTMLElement>('#by-token:not([hidden]) textarea, #by-client:not([hidden]) input');
  field?.focus();
}

async function byToken(): Promise<SessionState> {
  const token = taken(at('token', HTMLTextAreaElement)).replace(/\s+/g, '');
  if (!TOKEN.test(token)) throw new AskError(401, REFUSED);
  return signIn(token);
}

async function byClient(): Promise<SessionState> {
  const client = at('client', HTMLInputElement).value.trim();
  return signIn(await tokenOf(client, taken(at('secret', HTMLInputElement))));
}

function taken(field: HTMLInputElement | HTMLTextAreaElement): string {
  const { value } = field;
  field.value = '';
  return value;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof AskError)) throw error;
  if (error.status === 429) return 'Too many attempts: wait a minute.';
  return error.status >= 400 && error.status < 500 ? REFUSED : `Sign-in failed: ${error.message}.`;
}
