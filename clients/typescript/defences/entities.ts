/** What redaction finds in a text: one row for each kind of entity. A kind is found by its form. */

/** A kind. */
interface Kind {
  /** In the placeholder, as `[EMAIL_1]`. */
  readonly label: string;
  readonly pattern: RegExp;
  /** Whether what the pattern found is one. Default: it is. */
  readonly right?: (found: string) => boolean;
}

/** In the order in which they are looked for: a longer form before those that it contains. */
export const entityKinds = {
  emails: { label: 'EMAIL', pattern: /[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/gu },
  ibans: { label: 'IBAN', pattern: /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b/g, right: isIban },
  cards: { label: 'CARD', pattern: /\b\d(?:[ -]?\d){12,18}\b/g, right: isCard },
  ips: { label: 'IP', pattern: /\b(?:\d{1,3}\.){3}\d{1,3}\b|(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])/gi, right: isIp },
  dates: { label: 'DATE', pattern: /\b(?:\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4})\b/g },
  phones: { label: 'PHONE', pattern: /(?<![\w.])\+?\(?\d(?:[ ()/-]{0,2}\d){6,14}(?![\w])/g },
  numbers: { label: 'NUMBER', pattern: /\d{5,}/g },
} as const satisfies Readonly<Record<string, Kind>>;

export type EntityKind = keyof typeof entityKinds;

/** Their names. */
export const entityKindNames = Object.keys(entityKinds) as readonly EntityKind[];

/** ISO 13616: moved by four and read in base 36, the remainder by 97 is 1. */
function isIban(found: string): boolean {
  const compact = found.replaceAll(' ', '');
  if (compact.length < 15 || compact.length > 34) return false;
  let rest = 0;
  for (const letter of compact.slice(4) + compact.slice(0, 4))
    for (const digit of Number.parseInt(letter, 36).toString()) rest = (rest * 10 + Number(digit)) % 97;
  return rest === 1;
}

/** ISO 7812: Luhn's sum. */
function isCard(found: string): boolean {
  const digits = Array.from(found.replace(/\D/g, ''), Number).reverse();
  const sum = digits.reduce((total, digit, at) => total + (at % 2 === 0 ? digit : digit * 2 - (digit > 4 ? 9 : 0)), 0);
  return digits.length >= 13 && digits.length <= 19 && sum % 10 === 0;
}

function isIp(found: string): boolean {
  if (!found.includes(':')) return found.split('.').every((part) => Number(part) <= 255);
  const shortened = found.includes('::');
  const groups = found.split(':').filter((group) => group !== '').length;
  return shortened ? groups >= 1 && groups <= 7 && found.split('::').length === 2 : groups === 8;
}
