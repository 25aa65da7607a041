/** Every fixture's recipe with weights and batches that nobody has seen, made by the transformers of the given python, against the packed halves. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spanKinds } from '../../src/artifacts/manifest.js';
import { packageRoot } from '../../src/files/package-root.js';
import { PackedModel, readReference } from '../support/packed-model.js';
import {
  crossingErrors,
  forwardErrors,
  GRADIENT_TOLERANCE,
  gradientErrors,
  LOGITS_TOLERANCE,
  lossErrors,
  type References,
} from '../support/reference-errors.js';
import { type ReferenceFixture, referenceFixture } from '../support/reference-fixtures.js';

/** The harder cut: every span's graphs take part. */
const cut = { bottom: 1, top: 1 };

/**
 * Makes checkpoints and reference values with `seedOffset` added to every recipe's seeds and compares.
 * @returns how many checks failed; findings go to the terminal.
 */
export async function checkFamilies(python: string, seedOffset: number): Promise<number> {
  const root = mkdtempSync(join(tmpdir(), 'cutlayer-families-'));
  try {
    const script = join(packageRoot(), 'test', 'conformance', 'make_fixtures.py');
    const environment = {
      ...process.env,
      PYTHONDONTWRITEBYTECODE: '1',
      TRANSFORMERS_VERBOSITY: 'error',
      HF_HUB_DISABLE_PROGRESS_BARS: '1',
    };
    const made = spawnSync(python, [script, '--out', root, '--seed-offset', String(seedOffset)], { env: environment, encoding: 'utf8' });
    if (made.status !== 0) {
      process.stdout.write(
        `families: making the checkpoints failed${made.error === undefined ? '' : `: ${made.error.message}`}\n${made.stderr}`,
      );
      return 1;
    }
    let failures = 0;
    for (const name of readdirSync(root).sort()) failures += (await checkFixture(referenceFixture(name, join(root, name)))) ? 0 : 1;
    return failures;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function checkFixture({ name, dir, document }: ReferenceFixture): Promise<boolean> {
  const model = await PackedModel.pack(dir, cut.bottom, cut.top);
  try {
    const value = await readReference(dir);
    const batches: References[] = [{ value, batch: document.batch }];
    if (document.short !== undefined) batches.push({ value: (key) => value(`short.${key}`), batch: document.short.batch });
    let [forward, gradient, padding] = [0, 0, 0];
    for (const references of batches) {
      for (const kind of spanKinds) {
        const { hiddenStates, logits } = await forwardErrors(model, references, kind);
        const gradients = await gradientErrors(model, references, kind);
        const { loss, chunks, ...lossGradients } = await lossErrors(model, references, kind);
        const crossing = await crossingErrors(model, references, kind);
        forward = Math.max(forward, hiddenStates!, logits!, loss!, chunks!, crossing.hiddenStates!, crossing.output!);
        padding = Math.max(padding, gradients.padding!);
        const { padding: _, ...ofGradients } = gradients;
        const { hiddenStatesCotangent, outputCotangent } = crossing;
        gradient = Math.max(gradient, ...Object.values({ ...ofGradients, ...lossGradients }), hiddenStatesCotangent!, outputCotangent!);
      }
    }
    const passed = forward <= LOGITS_TOLERANCE && gradient <= GRADIENT_TOLERANCE && padding === 0;
    const findings = `largest relative error ${forward.toExponential(2)} of logits and hidden states, ${gradient.toExponential(2)} of gradients`;
    process.stdout.write(
      `${name}, other weights: ${passed ? '' : 'FAILED '}${findings}${padding === 0 ? '' : '; padding has a gradient'}\n`,
    );
    return passed;
  } finally {
    await model.close();
  }
}
