/** The option of every command that opens an artifact and can require its signature. */
import { type OptionRow, optional, parsed } from './option.js';

/** @param whose manifest, as `the bundle's` */
export function signerOption(whose: string): OptionRow<string | undefined, string> {
  const read = (given: unknown) => (typeof given === 'string' && /^[A-Za-z0-9_-]{43}$/.test(given) ? given : undefined);
  const expected = "expected the vendor's public key, 43 characters of base64url, as cutlayer signer show prints it";
  return optional(parsed('key', `public key that must have signed ${whose} manifest (cutlayer pack --sign)`, expected, read));
}
