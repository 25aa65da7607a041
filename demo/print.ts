/** Prints a run's result for a terminal. */
import type { DemoSummary } from './summary.js';

/** Writes the tables to standard output. */
export function printSummary(summary: DemoSummary): void {
  const { before, after, parameters } = summary;
  const lines = [
    '',
    `                            before      after`,
    `test loss (nats per token)  ${cell(before.loss.toFixed(4))} ${cell(after.loss.toFixed(4))}`,
    `exact answers               ${cell(percent(before.accuracy))} ${cell(percent(after.accuracy))}   chance: ${summary.chance === null ? 'n/a' : percent(summary.chance)}`,
    '',
    `training                    ${summary.steps} steps, ${summary.seconds.toFixed(1)} s, ${Math.round(summary.tokensPerSecond)} tokens/s`,
    `bytes per step              ${Math.round(summary.bytesPerStep)} (formula ${Math.round(summary.bytesPerStepFormula)})`,
    `the vendor holds            ${parameters.vendor.toLocaleString('en-US')} parameters (backbone)`,
    `the client holds            ${parameters.client.toLocaleString('en-US')} parameters (embedding, final norm, head), and trained ${parameters.trained.toLocaleString('en-US')}`,
  ];
  for (const { party, files } of summary.holdings) {
    lines.push(
      '',
      `files of the ${party}:`,
      ...files.map(({ path, bytes }) => `  ${path.padEnd(44)} ${bytes.toLocaleString('en-US').padStart(12)} bytes`),
    );
  }
  for (const sample of summary.samples) {
    lines.push(
      '',
      `prompt    ${oneLine(sample.prompt)}`,
      `expected  ${oneLine(sample.expected)}`,
      `before    ${oneLine(sample.before)}`,
      `after     ${oneLine(sample.after)}`,
    );
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

function cell(text: string): string {
  return text.padStart(10);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function oneLine(text: string): string {
  return text.trim().replaceAll('\n', ' ⏎ ');
}
