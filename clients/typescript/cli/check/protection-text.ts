/** The vendor's protection policy in a line, of the bounds that training can meet. */
import type { ServedProtection } from '../../connection/served-protection.js';

/** How each bound is said; those of a step's Backward calls no client of ours meets. */
const texts: Readonly<Partial<Record<keyof ServedProtection, (bound: number) => string>>> = {
  rowsPerDay: (bound) => `${bound.toLocaleString('en')} rows answered in a day (UTC)`,
  minTokens: (bound) => `texts of at least ${bound} tokens, virtual ones among them`,
  directionsPerInput: (bound) => `${bound} directions of a text's cotangent in a day`,
  nearInputs: (bound) => `${bound} near inputs in a day`,
  minRowNorm: (bound) => `rows at least ${short(bound)} long`,
  maxRowNorm: (bound) => `rows at most ${short(bound)} long`,
  maxPromptNorm: (bound) => `rows of a soft prompt at most ${short(bound)} long`,
};

/** `5,000,000 rows answered in a day (UTC); …`, or that there is no bound. */
export function protectionText(protection: ServedProtection): string {
  const bounds = Object.entries(texts).flatMap(([name, say]) => {
    const bound = protection[name as keyof ServedProtection]; // a key of the table
    return bound === undefined ? [] : [say(bound)];
  });
  return bounds.length === 0 ? 'the vendor states no bound' : bounds.join('; ');
}

const short = (value: number): string => String(Number(value.toPrecision(4)));
