/** Where secrets come from: a cryptographic source as a parameter, so that tests can repeat a run. */
import { randomBytes } from 'node:crypto';

/** Gives `count` fresh random bytes. Whoever passes another source than {@link cryptoRandom} answers for its secrecy. */
export type RandomBytes = (count: number) => Uint8Array;

/** The operating system's generator through OpenSSL. */
export const cryptoRandom: RandomBytes = (count) => randomBytes(count);
