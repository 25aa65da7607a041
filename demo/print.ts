/** Prints a run's result for a terminal. */
import { byteText } from '../src/files/byte-text.js';
import { holdingLines } from './holding-text.js';
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
    `on the wire                 ${byteText(summary.bytesPerStep)} a step (formula ${byteText(summary.bytesPerStepFormula)})`,
    `the vendor holds            ${parameters.vendor.toLocaleString('en-US')} parameters (backbone)`,
    `the client holds            ${parameters.client.toLocaleString('en-US')} parameters (embedding, final norm, head), and trained ${parameters.trained.toLocaleString('en-US')}`,
  ];
  lines.push(
    '',
    ...summary.holdings.flatMap((held) => holdingLines(held).map((line) => `${`files of the ${held.party}`.padEnd(28)}${line}`)),
  );
  for (const sample of summary.samples) {
    lines.push(
      '',
      `prompt    ${oneLine(sample.prompt)}`,
      `expected  ${oneLine(sample.expected)}`,
      `before    ${oneLine(sample.before)}`,
      `after     ${oneLine(sample.after)}`,
    );
  }
  const { request, answer, tokensPerSecond } = summary.serving;
  lines.push(
    '',
    `served to the openai package (${request.model}, ${tokensPerSecond.toFixed(1)} tokens/s)`,
    `prompt    ${oneLine(request.prompt)}`,
    `answer    ${oneLine(answer)}`,
  );
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
