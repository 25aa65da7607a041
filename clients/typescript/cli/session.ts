/** Opens what every command needs: the bundle and a connection to the gateway that serves it. */
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { CutlayerError } from '../../../src/errors.js';
import { stderr } from '../../../src/files/output.js';
import { type Connection, connect } from '../connection/connect.js';
import type { RetryNotice } from '../connection/retry.js';
import { shutdownOf } from '../connection/shutdown.js';
import type { TokenOptions } from '../connection/token-source.js';
import type { Defences } from '../defences/defences.js';
import { ClientBundle } from '../model/client-bundle.js';
import { DraftModel } from '../model/draft-model.js';
import { attestationOf } from './attestation-policy.js';
import { lastAudit } from './audit/last-audit.js';
import type { ConnectionFlags } from './connection-options.js';
import type { DefenceFlags } from './defence-options.js';
import { checkPadding, openDefences } from './open-defences.js';
import { privacyStatement } from './privacy-statement.js';
import { interruptible, type ProgressReporter, progressReporter } from './progress.js';
import { wireNote } from './wire-range.js';

/** An open bundle and a connection to the gateway that serves its backbone. */
export interface Session {
  readonly bundle: ClientBundle;
  readonly connection: Connection;
  /** The small model that drafts tokens, where a flag names one. */
  readonly drafter: DraftModel | undefined;
  /** What the flags ask to be done to texts' rows before they are sent. */
  readonly defences: Defences;
  close(): Promise<void>;
}

/** A connection's flags, and how commands that read conversations render them. */
type SessionFlags = ConnectionFlags &
  Partial<DefenceFlags> & {
    readonly chatTemplate?: string | undefined;
    readonly draftModel?: string | undefined;
    /** What is trained, where guarantees depend on it. */
    readonly method?: string;
  };

/** Runs a job with an open session, which ctrl-C ends in good order. @throws CutlayerError */
export async function withSession(
  flags: SessionFlags,
  job: (session: Session, signal: AbortSignal, progress: ProgressReporter) => Promise<void>,
): Promise<void> {
  const progress = progressReporter();
  await interruptible(async (signal) => {
    const session = await openSession(flags, signal, progress.onRetry);
    try {
      await job(session, signal, progress);
    } finally {
      progress.stop();
      await session.close();
    }
  });
}

export async function openSession(flags: SessionFlags, signal: AbortSignal, onRetry: (notice: RetryNotice) => void): Promise<Session> {
  // Its failures reach us as errors, which have messages of our own.
  setLogVerbosity(logVerbosity.NONE);
  const { verify, threads, signer, chatTemplate } = flags;
  const bundle = await ClientBundle.open(flags.bundle, { verify, threads, signer, chatTemplate });
  let drafter: DraftModel | undefined;
  try {
    if (flags.draftModel !== undefined) drafter = await DraftModel.open(flags.draftModel, bundle, { verify, threads });
    const note = wireNote(bundle.manifest, flags.wire);
    if (note !== undefined) stderr.line(`note: ${note}`);
    const defences = await openDefences(flags, bundle);
    const connection = await connect({
      address: flags.gateway,
      ca: flags.ca,
      ...tokenOptions(flags.tokenFile, 'CUTLAYER_TOKEN', 'no access token: pass --token-file'),
      clientCert: flags.clientCert,
      clientKey: flags.clientKey,
      insecure: flags.insecure,
      wireDtype: flags.wire,
      shareText: flags.shareText,
      attestation: await attestationOf(flags.attestationPolicy),
      deadlineMs: flags.deadline * 1000,
      retry: { retryForMs: flags.retryFor * 1000 },
      onRetry,
      signal,
    });
    try {
      checkPadding(defences, connection.card);
    } catch (error) {
      connection.close();
      throw error;
    }
    const shutdown = shutdownOf(connection.card, Date.now());
    if (shutdown?.soon) stderr.line(`warning: ${shutdown.says}`);
    const { identity, manifest } = bundle;
    const audit = await lastAudit(identity.backboneDigest);
    const stated = { bottom: manifest.cut.bottom, wire: flags.wire, defences: defences.all, audit, attested: connection.attested };
    for (const line of privacyStatement(stated)) stderr.line(line);
    return {
      bundle,
      connection,
      drafter,
      defences,
      async close() {
        connection.close();
        await drafter?.close();
        await bundle.close();
      },
    };
  } catch (error) {
    await drafter?.close();
    await bundle.close();
    throw error;
  }
}

/** A token's file, or the token in an environment variable. @throws CutlayerError TOKEN_MISSING */
export function tokenOptions(tokenFile: string | undefined, variable: string, missing: string): TokenOptions {
  if (tokenFile !== undefined) return { tokenFile };
  const token = process.env[variable] ?? '';
  if (token !== '') return { token };
  throw new CutlayerError('TOKEN_MISSING', `${missing}, or set the environment variable ${variable}`);
}
