/** Asks this gateway, with the session's cookie. No other address is ever asked. */

/** The answer of `/admin/session`. */
export type SessionState =
  | { readonly signedIn: false }
  | { readonly signedIn: true; readonly tenant: string; readonly client: string | null; readonly csrf: string; readonly leftMs: number };

/** A refusal, or no answer. */
export class AskError extends Error {
  override readonly name = 'AskError';

  /** @param status of HTTP; 0: the gateway did not answer */
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const ANSWER_MS = 10_000;
let csrf = '';

/** Reads a route of the administrator's API. @throws AskError */
export function read<Answer>(path: `/${string}`, query: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const text = new URLSearchParams(query).toString();
  return ask<Answer>(`/admin/v1/admin${path}${text === '' ? '' : `?${text}`}`);
}

/** Orders a change. @throws AskError */
export function order<Answer>(path: `/${string}`): Promise<Answer> {
  return ask<Answer>(`/admin/v1/admin${path}`, { method: 'POST', headers: { 'x-cutlayer-csrf': csrf } });
}

/** Whether somebody has signed in here. @throws AskError */
export async function session(): Promise<SessionState> {
  return known(await ask<SessionState>('/admin/session'));
}

/** Signs in with a token. @throws AskError */
export async function signIn(token: string): Promise<SessionState> {
  return known(await ask<SessionState>('/admin/session', { method: 'POST', headers: { authorization: `Bearer ${token}` } }));
}

/** A token of a client, from the token endpoint. @throws AskError */
export async function tokenOf(client: string, secret: string): Promise<string> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: client, client_secret: secret, scope: 'admin' });
  const { access_token: token } = await ask<{ readonly access_token: string }>('/oauth2/token', {
    ...{ method: 'POST', body },
    // The endpoint names Basic in a refusal, and a browser would ask for a password by itself.
    credentials: 'omit',
  });
  return token;
}

/** Signs out. @throws AskError */
export async function signOut(): Promise<void> {
  known(await ask<SessionState>('/admin/session', { method: 'DELETE', headers: { 'x-cutlayer-csrf': csrf } }));
}

function known(state: SessionState): SessionState {
  csrf = state.signedIn ? state.csrf : '';
  return state;
}

async function ask<Answer>(path: string, init: RequestInit = {}): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: 'same-origin', ...init, redirect: 'error', signal: AbortSignal.timeout(ANSWER_MS) });
  } catch {
    throw new AskError(0, 'the gateway does not answer');
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw new AskError(response.status, messageOf(answer) ?? `the gateway answered ${response.status}`);
  return answer as Answer; // of the server that served this page
}

function messageOf(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null || !('error' in answer)) return undefined;
  const { error } = answer;
  return typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string' ? error.message : undefined;
}
