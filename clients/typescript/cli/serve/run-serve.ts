/** The work of `cutlayer client serve`. */
import { join } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { stderr, stdout } from '../../../../src/files/output.js';
import { isLoopback } from '../../../../src/protocol/wire/loopback.js';
import { RemoteModel } from '../../model/remote-model.js';
import { SplitModel } from '../../model/split-model.js';
import { namedAdapter } from '../../serving/model/adapter-folder.js';
import { startServing } from '../../serving/serving.js';
import { noteDecoding } from '../note-decoding.js';
import { warnOfDefences } from '../open-adapted.js';
import { homeDir } from '../profile/home-dir.js';
import { withSession } from '../session.js';
import { feedbackStore } from './feedback-store.js';
import { readyLines } from './ready-lines.js';
import type { ServeFlags } from './serve-options.js';

export async function runServe(flags: ServeFlags): Promise<void> {
  const adapters = (flags.adapter ?? []).map(namedAdapter);
  const keyFile = flags.key ? (flags.keyFile ?? join(homeDir(), 'api-key')) : undefined;
  checkAccess(flags);
  await withSession(flags, async ({ bundle, connection, drafter, defences }, signal) => {
    const model = new SplitModel(bundle, new RemoteModel(connection), drafter, defences);
    noteDecoding(model);
    const serving = await startServing({
      ...flags,
      model,
      feedback: await feedbackStore(flags, model),
      adapters,
      folder: flags.adapters,
      keyFile,
      hosts: flags.allowHost,
      origins: flags.allowOrigin ?? [],
      onRead: (name, dir) => warnOfDefences(name, dir, defences),
      onChange: (name, failure) => {
        if (failure === undefined) stderr.line(`${name}: its files have changed; the new ones are served`);
        else stderr.line(`warning: ${name}: its files have changed and cannot be used; the old ones are served: ${failure.message}`);
      },
      onFailure: ({ code, message }) => stderr.line(`${code}: ${message}`),
    });
    try {
      const { url, models } = serving;
      for (const line of readyLines({ url, models, keyFile, bottom: bundle.manifest.cut.bottom }, flags.json)) stdout.line(line);
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    } finally {
      await serving.close(flags.grace);
    }
  });
}

/** @throws CutlayerError INVALID_OPTION for an endpoint that other machines reach without a key */
function checkAccess({ host, key, keyFile }: ServeFlags): void {
  if (!key && keyFile !== undefined) throw new CutlayerError('INVALID_OPTION', '--no-key: expected either this or --key-file, got both');
  if (isLoopback(host)) return;
  if (!key) throw new CutlayerError('INVALID_OPTION', `--no-key: expected a loopback address with it, got --host ${host}`);
  stderr.line(`warning: OTHER MACHINES REACH ${host}: requests and answers are text and go without TLS; put a proxy with TLS before it`);
}
