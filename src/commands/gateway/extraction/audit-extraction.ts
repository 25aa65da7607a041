/**
 * The audit of model extraction. It takes a tenant's quota of a real gateway, with its policy and
 * without. It trains a student on each, and one without access, and compares them on held-out
 * texts.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { figure } from '../../../../clients/typescript/cli/text-layout.js';
import { type Example, loadExamples } from '../../../../clients/typescript/data/examples.js';
import { evaluate } from '../../../../clients/typescript/inference/evaluate.js';
import { ClientBundle } from '../../../../clients/typescript/model/client-bundle.js';
import { RemoteModel } from '../../../../clients/typescript/model/remote-model.js';
import { SplitModel } from '../../../../clients/typescript/model/split-model.js';
import { CutlayerError } from '../../../errors.js';
import { FinishedParts } from '../../../files/finished-parts.js';
import { stderr } from '../../../files/output.js';
import type { WorkProgress } from '../../../files/work-progress.js';
import { seeded } from '../../../tensor/random.js';
import { AnswersFile } from './answers-file.js';
import { type Architecture, architectureOf } from './architecture.js';
import { AttackTexts } from './attack-texts.js';
import { openAttackedGateway, protectionEntries } from './attacked-gateway.js';
import { collectAnswers, rowsOfTexts } from './collect-answers.js';
import type { ExtractionFlags } from './extraction-options.js';
import { type Arm, armNames, type ExtractionReport, type StudentReport, type Taken } from './extraction-report.js';
import { labelLoss } from './label-loss.js';
import { qualityOf, recoveryOf, type TextScore } from './recovery.js';
import { Student } from './student.js';
import { trainStudent } from './train-student.js';

/** A student's checkpoint is written this often. */
const SAVE_EVERY_MS = 30_000;

type Attacked = Exclude<Arm, 'withoutAccess'>;

/** @throws CutlayerError of artifacts, files, options; CANCELLED */
export async function auditExtraction(flags: ExtractionFlags, progress: WorkProgress, signal?: AbortSignal): Promise<ExtractionReport> {
  const { out, signer, threads } = flags;
  const bundle = await ClientBundle.open(flags.bundle, { signer, threads });
  try {
    const [attack, heldOut] = [await examplesOf(flags, flags.data, bundle, signal), await examplesOf(flags, flags.heldOut, bundle, signal)];
    if (!heldOut.some(({ labelMask }) => labelMask.includes(1, 1)))
      throw new CutlayerError(
        'INVALID_DATA',
        `--held-out ${flags.heldOut}: expected a text with a label; write {"prompt", "completion"} records`,
      );
    const architecture = await architectureOf(bundle, flags.student);
    const policies = flags.protection === undefined ? '' : await readFile(flags.protection, 'utf8').catch(() => '');
    const { threads: _threads, json: _json, out: _out, ...asked } = flags;
    const data = [attack, heldOut].map(digestOf);
    const state = await FinishedParts.open(out, { asked, policies, data, backbone: bundle.manifest.backboneDigest });
    return await new Audit({ flags, bundle, attack, heldOut, architecture, state, progress, signal }).run();
  } finally {
    progress.end();
    await bundle.close();
  }
}

function examplesOf(flags: ExtractionFlags, file: string, bundle: ClientBundle, signal?: AbortSignal): Promise<readonly Example[]> {
  return loadExamples(file, bundle.tokenizer, {
    maxLength: bundle.manifest.dims.maxPositions,
    format: flags.format,
    overlong: 'truncate',
    predictsFirst: false,
    onNotice: (notice) => stderr.line(`note: ${notice}`),
    ...(signal && { signal }),
  });
}

function digestOf(examples: readonly Example[]): string {
  const hash = createHash('sha256');
  for (const { tokenIds, labelMask } of examples) hash.update(`${tokenIds.length} `).update(tokenIds).update(labelMask);
  return hash.digest('hex');
}

interface AuditParts {
  readonly flags: ExtractionFlags;
  readonly bundle: ClientBundle;
  readonly attack: readonly Example[];
  readonly heldOut: readonly Example[];
  readonly architecture: Architecture;
  readonly state: FinishedParts;
  readonly progress: WorkProgress;
  readonly signal: AbortSignal | undefined;
}

class Audit {
  readonly #parts: AuditParts;
  readonly #texts: AttackTexts;
  /** Texts that would have all rows. */
  readonly #most: number;

  constructor(parts: AuditParts) {
    const { attack, bundle, flags } = parts;
    this.#parts = parts;
    const length = Math.min(flags.textLength, bundle.manifest.dims.maxPositions);
    this.#texts = new AttackTexts(attack, { length, seed: flags.seed });
    this.#most = Math.max(1, Math.floor(flags.rows / length));
  }

  async run(): Promise<ExtractionReport> {
    const { flags, state, heldOut, architecture, bundle } = this.#parts;
    const taken = { protected: await this.#take('protected'), unprotected: await this.#take('unprotected') };
    const model = await state.part('model', () => this.#scoresOfModel());
    const withoutAccess = await this.#student('withoutAccess');
    // Where nothing was refused, both tenants have the same answers.
    const unprotected = await this.#student('unprotected');
    const guarded = taken.protected.rows === taken.unprotected.rows ? unprotected : await this.#student('protected');
    const reportOf = (student: readonly TextScore[], rows: number): StudentReport => ({
      ...qualityOf(student),
      rows,
      recovery: student === withoutAccess ? null : (recoveryOf({ model, withoutAccess, student }, flags.seed) ?? null),
    });
    return {
      formatVersion: 1,
      backboneDigest: bundle.manifest.backboneDigest,
      model: qualityOf(model),
      students: {
        withoutAccess: reportOf(withoutAccess, 0),
        protected: reportOf(guarded, taken.protected.rows),
        unprotected: reportOf(unprotected, taken.unprotected.rows),
      },
      taken: { protected: taken.protected, unprotected: taken.unprotected },
      rowsAsked: this.#most * this.#texts.length,
      rowsPerDay: taken.protected.rowsPerDay,
      student: { from: architecture.from, parameters: await state.part('parameters', () => this.#parameters()), steps: flags.steps },
      heldOut: { texts: heldOut.length, targets: model.reduce((sum, { targets }) => sum + targets, 0) },
    };
  }

  /** A tenant's quota. */
  #take(arm: Attacked): Promise<Taken & { readonly rowsPerDay: number | null }> {
    const { flags, state, bundle, progress, signal } = this.#parts;
    return state.part(`answers ${arm}`, async () => {
      const stateDir = join(flags.out, `gateway-${arm}`);
      const answers = await this.#answers(arm);
      const gateway = await this.#gateway(arm, stateDir);
      let refusal: CutlayerError | undefined;
      try {
        progress.begin(answers.texts);
        refusal = await collectAnswers({
          ...{ bundle, answers, signal, batch: flags.batch, texts: this.#texts, most: this.#most },
          connection: gateway.connection,
          onProgress: (texts) => progress.at(`answers, ${armNames[arm]}: text`, texts, this.#most),
        });
      } finally {
        // All entries of the audit log are written then.
        await gateway.close();
        await answers.close();
      }
      return {
        rows: answers.texts * this.#texts.length,
        refused: refusal === undefined ? null : { policy: String(refusal.details.policy), allowed: Number(refusal.details.allowed) },
        audited: await protectionEntries(stateDir, flags.tenant),
        rowsPerDay: gateway.connection.card.protection.rowsPerDay ?? null,
      };
    });
  }

  #gateway(arm: Attacked, stateDir: string) {
    const { backbone, tenant, threads, signer, protection } = this.#parts.flags;
    return openAttackedGateway({ backbone, stateDir, tenant, threads, signer, protection: arm === 'protected' ? protection : undefined });
  }

  #answers(arm: Attacked): Promise<AnswersFile> {
    return AnswersFile.open(join(this.#parts.flags.out, `answers-${arm}.f32`), this.#texts.length * this.#parts.bundle.dims.hiddenSize);
  }

  async #scoresOfModel(): Promise<readonly TextScore[]> {
    const { flags, bundle, heldOut, progress, signal } = this.#parts;
    const gateway = await this.#gateway('unprotected', join(flags.out, 'gateway-unprotected'));
    try {
      const scores: TextScore[] = heldOut.map(() => ({ targets: 0, correct: 0, lossSum: 0 }));
      progress.begin(0);
      await evaluate(new SplitModel(bundle, new RemoteModel(gateway.connection)), undefined, heldOut, {
        signal,
        onScore(index, { targets, correct, lossSum }) {
          scores[index] = { targets, correct, lossSum };
        },
        onProgress: (done, total) => progress.at('the model: held-out text', done, total),
      });
      return scores;
    } finally {
      await gateway.close();
    }
  }

  #student(arm: Arm): Promise<readonly TextScore[]> {
    const { flags, state, bundle, progress, signal } = this.#parts;
    return state.part(`student ${arm}`, async () => {
      const file = join(flags.out, `student-${arm}.safetensors`);
      const student = await this.#newStudent();
      const answers = arm === 'withoutAccess' ? undefined : await this.#answers(arm);
      try {
        const from = await student.load(file);
        let saved = performance.now();
        progress.begin(from);
        await trainStudent({
          ...{ bundle, student, answers, from, signal, texts: this.#texts, most: this.#most },
          ...{ batch: flags.batch, steps: flags.steps, learningRate: flags.lr, seed: flags.seed },
          async onStep(step, { labels }) {
            progress.at(`student ${armNames[arm]}: step`, step, flags.steps, `, loss ${figure(labels, 3)}`);
            if (performance.now() - saved < SAVE_EVERY_MS) return;
            await student.save(file, step);
            saved = performance.now();
          },
        });
        return await this.#scoresOf(student);
      } finally {
        await answers?.close();
        await student.close();
      }
    });
  }

  async #scoresOf(student: Student): Promise<readonly TextScore[]> {
    const { flags, bundle, heldOut, signal } = this.#parts;
    const scores: TextScore[] = [];
    for (let at = 0; at < heldOut.length; at += flags.batch) {
      const texts = heldOut.slice(at, at + flags.batch);
      const output = await student.infer(await rowsOfTexts(bundle, texts, signal), signal);
      scores.push(...(await labelLoss(bundle, output, texts, { wantCotangent: false, signal })).texts);
    }
    return scores;
  }

  #newStudent(): Promise<Student> {
    const { flags, architecture } = this.#parts;
    return Student.open({ ...architecture, dir: join(flags.out, 'graphs'), random: seeded(flags.seed, 1), threads: flags.threads });
  }

  async #parameters(): Promise<number> {
    const student = await this.#newStudent();
    await student.close();
    return student.parameters;
  }
}
