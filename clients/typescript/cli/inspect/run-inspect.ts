/** The work of `cutlayer client inspect`. */
import { artifactSigner } from '../../../../src/artifacts/store.js';
import { CutlayerError } from '../../../../src/errors.js';
import { byteText } from '../../../../src/files/byte-text.js';
import { stdout } from '../../../../src/files/output.js';
import type { Adapter } from '../../adapters/adapter.js';
import { loadAdapter } from '../../adapters/load.js';
import { defenceClaims } from '../../defences/claims.js';
import { defenceText } from '../../defences/defence.js';
import { type AdapterReport, type PartReport, reportAdapter } from '../../inspect/adapter-report.js';
import { nearestTokens } from '../../inspect/nearest-tokens.js';
import { ClientBundle } from '../../model/client-bundle.js';
import { sparkline, terminalShowsUnicode } from '../sparkline.js';
import { labelled } from '../text-layout.js';
import type { InspectFlags } from './inspect-options.js';

/** Tensors of a part that are listed. */
const SHOWN_TENSORS = 24;

/** Whether the adapter belongs to a bundle. */
interface Fit {
  readonly fits: boolean;
  /** Why not. */
  readonly reason?: string;
}

/** The tokens nearest to one virtual token. */
interface VirtualToken {
  /** Of a multitask prompt. */
  readonly task?: string;
  readonly row: number;
  readonly nearest: readonly { readonly tokenId: number; readonly text: string; readonly cosine: number }[];
}

export async function runInspect(path: string, flags: InspectFlags): Promise<void> {
  const report = await reportAdapter(path);
  const checked = flags.bundle === undefined ? {} : await checkAgainst(flags.bundle, report, flags);
  const nonFinite = report.parts.flatMap(({ tensors }) => tensors).reduce((sum, tensor) => sum + tensor.nonFinite, 0);
  if (flags.json) stdout.json({ path, ...report, ...checked }, 2);
  else for (const line of describe(report, checked, nonFinite)) stdout.line(line);
  if (nonFinite > 0 || checked.fit?.fits === false) process.exitCode = 1;
}

interface Checked {
  /** The public key that signed the bundle's manifest; null when none did. */
  readonly signedBy?: string | null;
  readonly fit?: Fit;
  readonly virtualTokens?: readonly VirtualToken[];
}

async function checkAgainst(dir: string, report: AdapterReport, { nearest, verify, signer }: InspectFlags): Promise<Checked> {
  const bundle = await ClientBundle.open(dir, { verify, signer });
  try {
    const signedBy = (await artifactSigner(dir)) ?? null;
    const adapter = await loadAdapter(report.dir, { bundle }).catch((caught: unknown) => CutlayerError.from(caught));
    if (adapter instanceof CutlayerError) {
      if (adapter.code === 'INTERNAL') throw adapter;
      return { signedBy, fit: { fits: false, reason: `${adapter.code}: ${adapter.message}` } };
    }
    return { signedBy, fit: { fits: true }, ...(nearest === 0 ? {} : { virtualTokens: await virtualTokens(bundle, adapter, nearest) }) };
  } finally {
    await bundle.close();
  }
}

/** For each row of the soft prompt, of each task; none for other adapters. */
async function virtualTokens(bundle: ClientBundle, adapter: Adapter, count: number): Promise<readonly VirtualToken[]> {
  if (adapter.spanKind !== 'softPrompt') return [];
  const rows: VirtualToken[] = [];
  for (const [id, task] of (adapter.tasks ?? [undefined]).entries()) {
    const { softPrompt } = await adapter.parts(task === undefined ? undefined : id);
    if (softPrompt === undefined) continue;
    (await nearestTokens(bundle, softPrompt, count)).forEach((near, row) => {
      const nearest = near.map(({ tokenId, cosine }) => ({ tokenId, text: textOf(bundle, tokenId), cosine }));
      rows.push({ ...(task === undefined ? {} : { task }), row, nearest });
    });
  }
  return rows;
}

/** A token of part of a character has no text of its own. */
function textOf(bundle: ClientBundle, tokenId: number): string {
  const text = bundle.tokenizer.decode([tokenId]);
  return text.includes('\ufffd') ? `#${tokenId}` : text;
}

function describe(report: AdapterReport, { signedBy, fit, virtualTokens: rows }: Checked, nonFinite: number): readonly string[] {
  const { found, dir, method, parameters, bytes, training, run } = report;
  const lines = [
    `${found}: ${dir}`,
    labelled('method', `${method}, ${parameters.toLocaleString('en')} parameters, ${byteText(bytes)}`),
    labelled('made for', madeFor(report)),
    labelled(
      'sound',
      nonFinite === 0 ? 'yes: every number is finite' : `NO: ${nonFinite} numbers are NaN or infinite; take an earlier checkpoint`,
    ),
  ];
  for (const defence of report.defences)
    lines.push(
      labelled(
        'trained with',
        `${defenceText(defence)}: ${(defenceClaims as Readonly<Record<string, string>>)[defence.name] ?? 'this version does not know it'}`,
      ),
    );
  if (signedBy !== undefined) lines.push(labelled('bundle', signedBy === null ? 'not signed' : `signed by ${signedBy}`));
  if (fit !== undefined) lines.push(labelled('fits the bundle', fit.fits ? 'yes' : `NO: ${fit.reason}`));
  if (training !== undefined) {
    const { optimizer, step } = training;
    lines.push(labelled('training state', `after step ${step}; optimizer: ${optimizer.tensors} tensors, ${byteText(optimizer.bytes)}`));
  }
  if (run !== undefined) {
    const { steps, lastLoss, bestValidationLoss, checkpoints, losses } = run;
    const best = bestValidationLoss === null ? '' : `, best validation loss ${bestValidationLoss.toFixed(4)}`;
    lines.push(
      labelled('run', `${steps} steps, last loss ${lastLoss?.toFixed(4) ?? '-'}${best}; checkpoints: ${checkpoints.join(', ') || 'none'}`),
    );
    if (losses.length > 0) lines.push(labelled('', sparkline(losses, { width: 40, unicode: terminalShowsUnicode() })));
  }
  for (const part of report.parts) lines.push(...describePart(part));
  if (rows !== undefined && rows.length > 0) {
    lines.push('nearest tokens (cosine):');
    for (const { task, row, nearest } of rows) {
      const near = nearest.map(({ text, cosine }) => `${JSON.stringify(text)} ${cosine.toFixed(2)}`).join('  ');
      lines.push(`  ${task === undefined ? '' : `${task} `}${String(row).padStart(3)}  ${near}`);
    }
  }
  return lines;
}

function madeFor({ backboneDigest, tokenizerDigest, parts }: AdapterReport): string {
  const base = parts.find((part) => part.base !== null)?.base;
  if (backboneDigest === null) return base ?? 'not said: the files come from PEFT';
  const tokenizer = tokenizerDigest === null ? '' : `, tokenizer ${tokenizerDigest.slice(0, 12)}`;
  return `backbone ${backboneDigest.slice(0, 12)}${tokenizer}${base === undefined ? '' : `, ${base}`}`;
}

function describePart({ method, peftType, config, tensors }: PartReport): readonly string[] {
  const width = Math.max(0, ...tensors.map(({ name }) => name.length));
  const known = [
    'num_virtual_tokens',
    'num_tasks',
    'r',
    'lora_alpha',
    'target_modules',
    'prefix_projection',
    'encoder_reparameterization_type',
    'tasks',
    'labels',
  ];
  const settings = known.filter((name) => name in config).map((name) => `${name} ${JSON.stringify(config[name])}`);
  return [
    `${method} (${peftType ?? 'own files'}${settings.length === 0 ? '' : `: ${settings.join(', ')}`}), norms of rows: mean, min, max`,
    ...tensors.slice(0, SHOWN_TENSORS).map(({ name, shape, rowNorms: { mean, min, max }, nonFinite }) => {
      const norms = [mean, min, max].map((norm) => norm.toPrecision(4)).join('  ');
      return `  ${name.padEnd(width)}  [${shape.join(', ')}]  ${norms}${nonFinite === 0 ? '' : `  ${nonFinite} NOT FINITE`}`;
    }),
    ...(tensors.length > SHOWN_TENSORS ? [`  and ${tensors.length - SHOWN_TENSORS} more; --json has all`] : []),
  ];
}
