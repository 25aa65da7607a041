/** The work of `cutlayer client federate`. */
import { join } from 'node:path';
import { stderr, stdout } from '../../../../src/files/output.js';
import { statementText } from '../../../../src/privacy/statement.js';
import type { IdentityKey } from '../../../../src/protocol/secagg/signature.js';
import { type TokenOptions, tokenSource } from '../../connection/token-source.js';
import { type CoordinatorConnection, openCoordinatorConnection } from '../../federation/coordinator-connection.js';
import { type EventLog, openEventLog } from '../../federation/event-log.js';
import { hex, readIdentity } from '../../federation/identity-file.js';
import { MemberStore } from '../../federation/member-store.js';
import { Participant } from '../../federation/participant.js';
import type { ParticipantEvent, ParticipantSummary } from '../../federation/participant-events.js';
import { pinned } from '../../federation/pin.js';
import { requireTokenOf } from '../../federation/token-owner.js';
import { withSecretIn } from '../open-defences.js';
import { connectionText } from '../profile/connection-text.js';
import { interruptible } from '../progress.js';
import { openSession, type Session } from '../session.js';
import { terminalShowsUnicode } from '../sparkline.js';
import { type FederateData, openFederateData } from './federate-data.js';
import type { FederateFlags } from './federate-options.js';
import { federateReporter } from './federate-progress.js';
import { federateSummaryLines } from './federate-summary.js';
import { readInvite } from './invite-file.js';
import { coordinatorToken, requireInvited } from './invited.js';

export async function runFederate(flags: FederateFlags): Promise<void> {
  const invite = flags.invite === undefined ? undefined : await readInvite(flags.invite);
  const identity = await readIdentity(flags.identity);
  if (invite !== undefined) requireInvited(invite, flags, identity);
  const token = coordinatorToken(flags, invite, Date.now());
  const state = await MemberStore.open(flags.stateDir);
  const reporter = federateReporter();
  let log: EventLog | undefined;
  let local: FederateData | undefined;
  const onEvent = (event: ParticipantEvent): void => {
    if (flags.json) stdout.json(event);
    else reporter.onEvent(event);
    log?.write(event);
    local?.observe(event);
  };
  try {
    log = await openEventLog(join(flags.stateDir, 'log.jsonl'));
    await interruptible(async (signal) => {
      const connection = await openConnection(flags, identity, token);
      let session: Session | undefined;
      try {
        const request = { federation: flags.federation, publicKey: hex(identity.publicKey), floors: flags };
        const pin = await pinned(state, request, () => connection.manifest());
        requireTokenOf(pin.member, await tokenSource(token, 'coordinator')(false));
        const { method } = pin.open.manifest.settings.adapter;
        // A gateway that is away is told of by the steps that it fails.
        session = await openSession({ ...withSecretIn(flags.stateDir, flags), method }, signal, () => undefined);
        local = await openFederateData(flags, session, pin, state, { signal, onEvent });
        const { data } = local;
        const participant = await Participant.open({
          api: connection,
          federation: flags.federation,
          identity,
          ...session,
          data,
          state,
          rounds: flags.once ? 1 : flags.rounds,
          checkpointEvery: flags.checkpointEvery,
          evaluateLocally: flags.measure,
          onEvent,
        });
        const summary = await participant.run(signal);
        await report(summary, participant, flags, session);
      } finally {
        reporter.stop();
        await local?.close();
        connection.close();
        await session?.close();
      }
    });
  } finally {
    reporter.stop();
    await log?.close();
    await state.close();
  }
}

async function report(summary: ParticipantSummary, participant: Participant, flags: FederateFlags, session: Session): Promise<void> {
  const { privacy } = participant;
  if (flags.json) stdout.json({ type: 'summary', ...summary, ...(privacy === undefined ? {} : { privacy }) });
  else {
    const statement = privacy === undefined ? undefined : statementText(privacy);
    const { counters } = session.connection;
    const connection = await connectionText(flags);
    for (const line of federateSummaryLines(summary, flags, { counters, statement, connection, unicode: terminalShowsUnicode() }))
      stderr.line(line);
  }
  if (summary.stopped === 'cancelled') process.exitCode = 130;
}

function openConnection(flags: FederateFlags, identity: IdentityKey, token: TokenOptions): Promise<CoordinatorConnection> {
  return openCoordinatorConnection({
    federation: flags.federation,
    identity,
    address: flags.coordinator,
    insecure: flags.coordinatorInsecure,
    ca: flags.coordinatorCa,
    clientCert: flags.coordinatorClientCert,
    clientKey: flags.coordinatorClientKey,
    ...token,
  });
}
