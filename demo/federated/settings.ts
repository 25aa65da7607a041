/** The federated demo's command line, and where its parts are. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { type ScheduleName, scheduleNames } from '../../clients/typescript/index.js';
import { packageRoot } from '../../src/files/package-root.js';

/** The four sites. */
export const siteNames = ['north', 'south', 'river', 'mill'] as const;

/** One of {@link siteNames}. */
export type SiteName = (typeof siteNames)[number];

/** A site's own directory. */
export function siteDir(out: string, site: SiteName): string {
  return join(out, 'sites', site);
}

export interface FederatedSettings {
  readonly checkpoint: string;
  /** Holds SITE-train.jsonl, SITE-validation.jsonl, SITE-test.jsonl, and a common test.jsonl. */
  readonly data: string;
  readonly out: string;
  readonly virtualTokens: number;
  readonly rounds: number;
  /** Of each site in each round. */
  readonly steps: number;
  readonly batch: number;
  readonly lr: number;
  /** Of the learning rate over all steps. */
  readonly schedule: ScheduleName;
  /** Seconds that a round waits for training at most; it follows what earlier rounds took. */
  readonly cutoff: number;
  /** The site whose process is killed, and the round. */
  readonly lost: SiteName;
  readonly lostInRound: number;
}

/** Parses the arguments of `npm run demo:federated --`. */
export function parseFederatedSettings(argv: readonly string[]): FederatedSettings {
  const root = packageRoot();
  const program = new Command('npm run demo:federated --')
    .description('Four sites train one soft prompt under secure aggregation; one of them is killed in the middle of a round.')
    .option('--checkpoint <dir>', 'checkpoint in Hugging Face format', join(root, 'demo', 'backbone', 'checkpoint'))
    .option('--data <dir>', "the sites' rows and the common test", join(root, 'demo', 'federated', 'data'))
    .option('--out <dir>', 'where everything goes', join(root, 'demo', 'out-federated'))
    .option('--virtual-tokens <P>', 'rows of the soft prompt', wholeNumber, 16)
    .option('--rounds <n>', 'rounds of the federation', wholeNumber, 16)
    .option('--steps <n>', 'optimizer steps of each site in a round', wholeNumber, 6)
    .option('--batch <n>', 'sequences of a step', wholeNumber, 8)
    .option('--lr <rate>', 'learning rate of AdamW', Number, 0.015)
    .addOption(new Option('--schedule <name>', 'of the learning rate over all steps').choices(scheduleNames).default('cosine'))
    .option(
      '--cutoff <seconds>',
      'how long a round waits at most for a site that trains; it follows what earlier rounds took',
      wholeNumber,
      300,
    )
    .addHelpText('after', '\nWrites <out>/summary.json and <out>/report.html.');
  const options = program.parse(argv, { from: 'user' }).opts<Omit<FederatedSettings, 'lost' | 'lostInRound'>>();
  return { ...options, lost: 'mill', lostInRound: 3 };
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`expected a whole number from 1, got ${text}`);
  return value;
}
