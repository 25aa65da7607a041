/** GPT-2's table: a character for each byte, printable bytes as themselves. */

const characterOf: readonly string[] = (() => {
  const printable = (byte: number): boolean => (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173);
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : 256 + others++));
})();

/** The byte of each of those characters. */
export const byteOf: ReadonlyMap<string, number> = new Map(characterOf.map((character, byte) => [character, byte]));

/** A text's UTF-8 in those characters. */
export function bytesAsCharacters(text: string): string {
  let made = '';
  for (const byte of Buffer.from(text)) made += characterOf[byte];
  return made;
}
