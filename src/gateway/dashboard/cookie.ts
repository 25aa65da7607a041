/** The cookie of a session. @see RFC 6265bis */
import type { Request } from 'express';

/** The page and what it asks for; nothing else of the port sees the cookie. */
export const COOKIE_PATH = '/admin';

/** With TLS the name says that no page without it can have set the cookie. */
export const cookieName = (request: Request): string => `${'encrypted' in request.socket ? '__Secure-' : ''}cutlayer-admin`;

const VALUE = /^[A-Za-z0-9_-]{43}$/;
const MAX_COOKIES = 64;

/** The value of a request's cookie; undefined without one of the right form, or with two. */
export function readCookie(request: Request): string | undefined {
  const name = `${cookieName(request)}=`;
  const values = (request.headers.cookie ?? '')
    .split(';', MAX_COOKIES)
    .map((part) => part.trim())
    .filter((part) => part.startsWith(name))
    .map((part) => part.slice(name.length));
  const [value] = values;
  return values.length === 1 && value !== undefined && VALUE.test(value) ? value : undefined;
}

/**
 * The header that sets a cookie. `Secure` holds without TLS too: browsers take it from a loopback
 * address alone.
 * @param maxAge in seconds; 0 takes the cookie away
 */
export function setCookie(request: Request, value: string, maxAge: number): string {
  return `${cookieName(request)}=${value}; Path=${COOKIE_PATH}; Max-Age=${maxAge}; HttpOnly; Secure; SameSite=Strict`;
}
