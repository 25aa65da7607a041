/** What a party holds, in a few words: its files folded by the directory that they lie in. */
import { byteText } from '../src/files/byte-text.js';
import type { Holding } from './summary.js';

/** For example `backbone/: 12 files, 6.1 MB, of which weights.safetensors 5.7 MB`. */
export function holdingLines({ files }: Holding): readonly string[] {
  const folders = new Map<string, Holding['files'][number][]>();
  for (const file of files) {
    const [folder = ''] = file.path.split('/');
    folders.set(folder, [...(folders.get(folder) ?? []), file]);
  }
  return [...folders].map(([folder, inside]) => {
    const total = inside.reduce((sum, { bytes }) => sum + bytes, 0);
    const largest = inside.reduce((a, b) => (b.bytes > a.bytes ? b : a));
    const name = largest.path.slice(folder.length + 1);
    const files = inside.length === 1 ? '1 file' : `${inside.length} files`;
    return `${folder}/: ${files}, ${byteText(total)}${inside.length > 1 ? `, of which ${name} ${byteText(largest.bytes)}` : ''}`;
  });
}
