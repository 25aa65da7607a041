/** The work of `cutlayer gateway audit-extraction`. */
import { join } from 'node:path';
import { interruptible } from '../../../../clients/typescript/cli/progress.js';
import { writeFileAtomic } from '../../../files/atomic-file.js';
import { stderr, stdout } from '../../../files/output.js';
import { lockRun } from '../../../files/run-lock.js';
import { WorkProgress } from '../../../files/work-progress.js';
import { auditExtraction } from './audit-extraction.js';
import type { ExtractionFlags } from './extraction-options.js';
import { extractionLines } from './extraction-report.js';

/** Audits, prints and writes the report. @throws CutlayerError */
export async function runExtraction(flags: ExtractionFlags): Promise<void> {
  const { out } = flags;
  const lock = await lockRun(out, { flag: '--out', activity: 'auditing here' });
  try {
    await interruptible(async (signal) => {
      const report = await auditExtraction(flags, new WorkProgress(), signal);
      const lines = extractionLines(report);
      await writeFileAtomic(join(out, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
      await writeFileAtomic(join(out, 'report.txt'), `${lines.join('\n')}\n`);
      if (flags.json) stdout.json(report);
      else for (const line of lines) stdout.line(line);
      stderr.line(`report: ${join(out, 'report.txt')} and report.json`);
    });
  } finally {
    await lock.release();
  }
}
