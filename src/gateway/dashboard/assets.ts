/** The files that the page loads: a closed list, read from this package once. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CutlayerError } from '../../errors.js';
import { ICON } from './icon.js';
import { STYLE } from './style.js';

/** A file as it is served. */
export interface Asset {
  readonly type: 'text/javascript' | 'text/css' | 'image/svg+xml';
  readonly content: () => Promise<string | Buffer>;
}

/** Programs of the page, compiled beside this file. */
const panels = ['audit-panel', 'charts', 'federations-panel', 'load-panel', 'model-panel', 'tenants-panel'] as const;
const programs = ['api', 'dashboard', 'elements', 'format', 'sign-in', ...panels] as const;

const pageDir = join(dirname(fileURLToPath(import.meta.url)), 'page');
/** uPlot's package, wherever npm has put it. */
const uplotDir = (): string => dirname(createRequire(import.meta.url).resolve('uplot'));

const script = (path: () => string): Asset => ({ type: 'text/javascript', content: () => readFile(path()) });
const text = (type: Asset['type'], content: string): Asset => ({ type, content: async () => content });

/** By their names below `/admin/assets`. */
export const assets: ReadonlyMap<string, Asset> = new Map([
  ...programs.map((name) => [`${name}.js`, script(() => join(pageDir, `${name}.js`))] as const),
  ['uplot.js', script(() => join(uplotDir(), 'uPlot.esm.js'))],
  ['uplot.css', { type: 'text/css', content: () => readFile(join(uplotDir(), 'uPlot.min.css')) }],
  ['style.css', text('text/css', STYLE)],
  ['icon.svg', text('image/svg+xml', ICON)],
]);

/** @throws CutlayerError NOT_FOUND */
export function assetOf(name: string): Asset {
  const asset = assets.get(name);
  if (asset === undefined) throw new CutlayerError('NOT_FOUND', 'asset: the page has none of this name');
  return asset;
}
