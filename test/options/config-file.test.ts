/** Configuration files: what they may say, and that flags come before them. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { evalCommand } from '../../clients/typescript/cli/eval/eval-command.js';
import { evalOptions } from '../../clients/typescript/cli/eval/eval-options.js';
import { generateCommand } from '../../clients/typescript/cli/generate/generate-command.js';
import { generateOptions } from '../../clients/typescript/cli/generate/generate-options.js';
import { sweepOptions } from '../../clients/typescript/cli/sweep/sweep-options.js';
import { type TrainFlags, trainOptions } from '../../clients/typescript/cli/train/train-options-table.js';
import { readOptions, withConfigFile, withOptions } from '../../src/options/command-options.js';
import { readConfigFile } from '../../src/options/config-file.js';
import { configText } from '../../src/options/config-text.js';
import { kebab } from '../../src/options/option.js';

describe('a configuration file', () => {
  let dir: string;
  let file: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-config-'));
    file = join(dir, 'run.yaml');
  });
  after(() => rm(dir, { recursive: true, force: true }));

  const read = async (text: string) => {
    await writeFile(file, text);
    return readConfigFile(file, trainOptions);
  };
  const parse = async (...args: readonly string[]): Promise<TrainFlags> => {
    const command = withOptions(withConfigFile(new Command('train')), trainOptions)
      .exitOverride()
      .configureOutput({ writeErr: () => {} });
    return readOptions(command.parse([...args], { from: 'user' }), trainOptions);
  };
  const required = ['--bundle', 'b', '--gateway', 'g:1', '--data', 'd.jsonl', '--out', 'o'];

  it('holds any option under the name of its flag, or in camelCase', async () => {
    assert.deepEqual(
      await read('weight-decay: 0.5\ncheckpointEvery: 7\nlr: 1e-3\neos: false\nlabels: [low, "very, high"]\nmethod: prompt-tuning+lora\n'),
      {
        weightDecay: 0.5,
        checkpointEvery: 7,
        lr: 0.001,
        eos: false,
        labels: ['low', 'very, high'],
        method: 'prompt-tuning+lora',
      },
    );
  });

  it('that gives a key in both spellings is refused', async () => {
    await assert.rejects(read('weight-decay: 0\nweightDecay: 0\n'), { code: 'INVALID_OPTION', message: /weight-decay is given twice/ });
    await assert.rejects(read('lr: 1\nlr: 2\n'), { code: 'INVALID_OPTION', message: /not YAML/ });
  });

  it('with an unknown key is refused by name, with the key that was probably meant', async () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ['wieght-decay: 0', /there is no option wieght-decay; did you mean weight-decay\?/],
      ['virtualTokns: 4', /there is no option virtualTokns; did you mean virtual-tokens\?/],
      ['learning_rate: 1', /learning_rate/],
      ['learning-rate: 1', /did you mean lr\?/],
      ['per-device-nonsense: 1', /there is no option per-device-nonsense \(--help/],
      ['token: abc', /a token does not belong .* token-file/],
    ];
    for (const [text, message] of wrong) await assert.rejects(read(text), { code: 'INVALID_OPTION', message });
  });

  it("with a wrong value is refused with the file's name, the key, what was wanted and what came", async () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ['lr: fast', /run\.yaml: lr: expected a number above 0, got "fast"/],
      ['steps: 1.5', /steps: expected a whole number of at least 1, got 1.5/],
      ['wire: f64', /wire: expected one of f32, f16, bf16, int8, got "f64"/],
      ['method: prompt-tunning', /method: there is no method prompt-tunning; did you mean prompt-tuning\?/],
      ['eos: "no"', /eos: expected true or false, got "no"/],
      ['rank: 0', /rank: .*got 0/],
      ['- lr', /expected one option per line/],
      ['lr: [', /not YAML/],
    ];
    for (const [text, message] of wrong) await assert.rejects(read(text), { code: 'INVALID_OPTION', message });
    await assert.rejects(readConfigFile(join(dir, 'absent.yaml'), trainOptions), { code: 'NOT_FOUND', message: /absent\.yaml/ });
  });

  it('gives paths that are relative to itself; those of flags are relative to where the command runs', async () => {
    await writeFile(file, 'data: sub/train.jsonl\nbundle: /abs\nout: o\ngateway: g:1\n');
    const flags = await parse('--config', file, '--validation', 'valid.jsonl');
    assert.deepEqual([flags.data, flags.bundle, flags.validation], [join(dir, 'sub/train.jsonl'), '/abs', 'valid.jsonl']);
  });

  it('comes after flags and before defaults, switches in either direction', async () => {
    await writeFile(file, 'lr: 0.5\nbatch: 3\neos: false\ninsecure: true\nlabels: [a, b]\ntensorboard:\n');
    const flags = await parse(
      ...required,
      '--config',
      file,
      '--batch',
      '5',
      '--eos',
      '--no-insecure',
      '--labels',
      'x',
      'y,z',
      '--method',
      'classification-head',
    );
    assert.deepEqual([flags.lr, flags.batch, flags.eos, flags.insecure, flags.labels], [0.5, 5, true, false, ['x', 'y', 'z']]);
    assert.deepEqual([flags.steps, flags.clip, flags.tensorboard], [undefined, 1, true]);
  });

  it('and flags with an option that none of the chosen methods reads, or that goes with validation, are refused by name', async () => {
    const refused = (message: RegExp, ...args: readonly string[]) =>
      assert.rejects(parse(...required, ...args), { code: 'INVALID_OPTION', message });
    await refused(
      /^--rank has no effect here: only lora reads it, and --method is prompt-tuning; change that, or leave it out$/,
      '--rank',
      '8',
    );
    await refused(/^--encoder has no effect here: only p-tuning reads it/, '--method', 'prompt-tuning+lora', '--encoder', 'LSTM');
    await refused(/^--prefix-projection has .* only prefix-tuning reads it/, '--prefix-projection');
    await refused(/^--targets has .* only lora, full read it/, '--targets', 'q_proj');
    await refused(/^--virtual-tokens has .* and --method is lora/, '--method', 'lora', '--virtual-tokens', '16');
    await refused(/^--eval-every has no effect here: there is no validation; give data for it with --validation, or/, '--eval-every', '5');
    await refused(/^--patience has no effect here/, '--patience', '5');
    await writeFile(file, 'rank: 4\n');
    await refused(/run\.yaml: --rank has no effect here/, '--config', file);
    const read = await parse(...required, '--config', file, '--method', 'prompt-tuning+lora', '--validation', 'v', '--patience', '5');
    assert.deepEqual([read.rank, read.patience], [4, 5]);
    assert.equal((await parse(...required, '--config', file, '--init-adapter', 'a')).rank, 4, 'an adapter to start from has its own');
    await writeFile(file, 'rank: 8\nprefix-projection: true\n');
    assert.equal((await parse(...required, '--config', file, '--no-prefix-projection')).prefixProjection, false);
  });

  it('may give what is required; what is in neither is named', async () => {
    await writeFile(file, 'bundle: b\ngateway: g:1\ndata: d\n');
    await assert.rejects(parse('--config', file), {
      message: /required option '--out <dir>' not specified, or out in the file of --config/,
    });
    assert.equal((await parse('--config', file, '--out', 'o')).out, 'o');
  });

  it('keeps texts of tokens whole, with their blanks and commas', async () => {
    assert.deepEqual((await parse(...required, '--method', 'trainable-tokens', '--tokens', ' yes', 'a,b', '--tokens', 'c')).tokens, [
      ' yes',
      'a,b',
      'c',
    ]);
    assert.deepEqual((await read('tokens: [" yes", "a,b"]')).tokens, [' yes', 'a,b']);
  });

  it('as a run saves it gives every option again, with absolute paths and without what concerns one start', async () => {
    const flags = await parse(
      ...required,
      '--lr',
      '0.003',
      '--method',
      'classification-head',
      '--labels',
      'no',
      'yes: "maybe"',
      '--token-file',
      't',
      '--resume',
      '--no-eos',
    );
    await writeFile(file, configText(trainOptions, flags, ['a run']));
    const again = await parse('--config', file);
    const absolute = Object.fromEntries(
      ['bundle', 'data', 'out', 'tokenFile'].map((name) => [name, join(process.cwd(), String(flags[name as 'out']))]),
    );
    assert.deepEqual(again, { ...flags, ...absolute, resume: false });
  });

  it('of train serves sweep, whose learning rates may be one or a list', async () => {
    await writeFile(file, 'lr: 0.5\n');
    assert.deepEqual(await readConfigFile(file, sweepOptions), { lr: [0.5] });
    await writeFile(file, 'lr: [0.5, 1e-3]\n');
    assert.deepEqual(await readConfigFile(file, sweepOptions), { lr: [0.5, 0.001] });
  });

  it('of a run serves the commands that use what the run made, with what they have in common', async () => {
    const saved =
      'bundle: b\ngateway: g:1\ndata: train.jsonl\nvalidation: valid.jsonl\nout: run1\nlr: 0.1\nseed: 3\nmax-length: 9\nformat: chat\n';
    await writeFile(file, saved);
    assert.ok(typeof evalCommand.configFile === 'object');
    const common = { bundle: join(dir, 'b'), gateway: 'g:1' };
    assert.deepEqual(await readConfigFile(file, evalOptions, evalCommand.configFile), {
      ...common,
      data: join(dir, 'valid.jsonl'),
      format: 'chat',
    });
    assert.ok(typeof generateCommand.configFile === 'object');
    assert.deepEqual(await readConfigFile(file, generateOptions, generateCommand.configFile), common);
    await writeFile(file, saved.replace('lr:', 'lrr:'));
    await assert.rejects(readConfigFile(file, evalOptions, evalCommand.configFile), { code: 'INVALID_OPTION', message: /no option lrr/ });
    await writeFile(file, 'bundle: b\ndata: test.jsonl\nlr: 0.1\n');
    await assert.rejects(readConfigFile(file, evalOptions, evalCommand.configFile), {
      code: 'INVALID_OPTION',
      message: /there is no option lr/,
    });
  });

  it('has one key for every option of --help, and no two that differ by spelling alone', () => {
    const keys = Object.keys(trainOptions).map(kebab);
    assert.equal(new Set(keys).size, keys.length);
    const help = withOptions(new Command('train'), trainOptions).helpInformation();
    for (const [name, row] of Object.entries(trainOptions)) {
      const flag = row.argument === undefined && row.fallback === true ? `--no-${kebab(name)}` : `--${kebab(name)}`;
      assert.ok(new RegExp(`^ +${flag}[ \\n]`, 'm').test(help), flag);
    }
  });
});
