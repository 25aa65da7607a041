/**
 * A8: the vendor puts its own top blocks and head on the rows that it returns: next tokens, and so
 * labels.
 */
import { attacker } from '../attacker.js';
import { lastRows } from '../last-rows.js';
import { argmax, logitRows } from '../logit-rows.js';
import { type LabelGuess, labelMeasures } from '../metrics.js';
import { predictedTokens } from '../seen.js';

export const vendorHead = attacker<readonly (readonly LabelGuess[])[]>({
  id: 'A8',
  title: "the vendor's head on the rows that it returns",
  knows: 'the head and the held top blocks as the vendor made them, and the rows that it has answered',
  says: 'the most probable token of each wanted row is the guess; it is right where the adapted model is.',
  async skipped(view) {
    if (!view.answered) return 'nothing was answered; run it with a gateway';
    if ((await view.parts(0)).classifier !== undefined)
      return "labels are classes of a head that the client holds, not the vendor's tokens";
    return undefined;
  },
  async attack(view, { signal, progress }) {
    const guesses: LabelGuess[][] = [];
    for (let at = 0; at < view.records; at++) {
      const seen = await view.record(at);
      const tokens = predictedTokens(seen);
      const outputs = await lastRows(view.bundle, seen, await view.parts(at), signal);
      const guess: LabelGuess[] = [];
      for await (const { row, logits } of logitRows(view.bundle, outputs, {}, signal))
        guess.push({ token: tokens[row]!, label: argmax(logits) });
      guesses.push(guess);
      progress(at + 1, view.records);
    }
    return guesses;
  },
  score: labelMeasures,
});
