/** The options of `cutlayer client federate`. */
import { clientCertificateOptions } from '../../../../src/options/client-certificate-options.js';
import {
  choice,
  nonNegativeInteger,
  nonNegativeNumber,
  type OptionTable,
  optional,
  path,
  positiveInteger,
  required,
  text,
  toggle,
  under,
  type ValuesOf,
  withDefault,
} from '../../../../src/options/option.js';
import { trainOnChoices } from '../../intake/rehearsal.js';
import { connectionOptions } from '../connection-options.js';
import { trainingDefenceOptions } from '../defence-options.js';
import { chatTemplate, format } from '../format-option.js';
import { eos, objective, overlong } from '../train/train-options-table.js';
import { inviteOption } from './invite-option.js';

const certificate = clientCertificateOptions('coordinator');
// A transform's values are its client's own; an aggregate would share them.
const { learnedNoise: _, ...memberDefences } = trainingDefenceOptions;

export const federateOptions = {
  ...under('Federation', {
    invite: inviteOption,
    federation: required(text('id', 'the id that the founder has told you: it fixes every setting, the roster and who coordinates')),
    coordinator: required(text('host:port', 'the coordinator')),
    coordinatorCa: optional(path('file', "PEM file of the authority behind the coordinator's certificate (default: the system's)")),
    coordinatorTokenFile: optional(
      path('file', 'file with your token for the coordinator (default: the environment variable CUTLAYER_COORDINATOR_TOKEN)'),
    ),
    coordinatorClientCert: certificate.clientCert,
    coordinatorClientKey: certificate.clientKey,
    coordinatorInsecure: toggle(false, 'plain text instead of TLS; only for a coordinator on this machine'),
    identity: required(
      path(
        'file',
        'your identity, as cutlayer client identity has written it (with --invite by default the one that it made without --out)',
      ),
    ),
    stateDir: required(
      path(
        'dir',
        'where this member keeps what it has pinned, said and trained: never delete it while the federation goes on (with --invite by default federations/ID beside your profiles)',
      ),
    ),
    minCohort: optional(positiveInteger('n', "take part in no round with fewer members (default: the manifest's; only ever raised)")),
    minThreshold: optional(
      positiveInteger(
        'n',
        "take part in no round in which fewer members together could open an update (default: the manifest's; only ever raised)",
      ),
    ),
    minSurvivors: optional(
      positiveInteger('n', "confirm no sum of fewer members' updates or metrics (default: the manifest's; only ever raised)"),
    ),
    minDifference: optional(
      positiveInteger(
        'n',
        'confirm no sum whose members differ by fewer from those of the sum before it, from the same version (default: any number; only ever raised)',
      ),
    ),
  }),
  ...connectionOptions,
  ...under('Data', {
    data: required(
      path('path', 'JSONL to train on, as for train; or a directory of *.jsonl files, which are read again and again while they grow'),
    ),
    heldOut: optional(
      path(
        'file',
        'JSONL to measure versions on (default: a share of a --data directory; of a --data file none, so that this member sits out evaluate rounds)',
      ),
    ),
    heldOutShare: {
      ...optional(
        nonNegativeNumber(
          'share',
          'share of a --data directory that is held out, chosen by content so that no example changes sides (default: 0.1)',
        ),
      ),
      idle: ({ heldOut }: Readonly<Record<string, unknown>>) => (heldOut === undefined ? undefined : '--held-out says what is held out'),
    },
    trainOn: withDefault(
      choice(
        'what',
        trainOnChoices,
        'all: every round trains on all examples. new: on those that the version trained from has not seen, and on --rehearsal',
      ),
      'all',
    ),
    rehearsal: {
      ...optional(
        nonNegativeNumber(
          'share',
          "share of earlier examples in each round's training, against forgetting; drawn afresh in each round (default: 0.3)",
        ),
      ),
      idle: ({ trainOn }: Readonly<Record<string, unknown>>) =>
        trainOn === 'new' ? undefined : 'all examples are trained on; pass --train-on new',
    },
    maxExamples: optional(
      positiveInteger('n', 'most examples that are kept in memory; what does not fit waits in its file (default: 200000)'),
    ),
    examplesPort: optional(
      nonNegativeInteger(
        'port',
        'take examples by POST /v1/examples on 127.0.0.1:port, 0 for a free one; the token is in examples-token of --state-dir',
      ),
    ),
    format,
    chatTemplate,
    objective,
    maxLength: optional(positiveInteger('n', "longest example in tokens (default: the model's positions less the virtual tokens)")),
    overlong: withDefault(overlong, 'error'),
    eos,
  }),
  ...memberDefences,
  ...under('Run', {
    rounds: optional(
      positiveInteger('n', "stop after n aggregates with this member's update (default: run until the federation is finished)"),
    ),
    once: { ...toggle(false, 'the same as --rounds 1'), transient: true },
    checkpointEvery: withDefault(positiveInteger('steps', 'steps between local checkpoints'), 50),
    measure: toggle(true, 'do not measure every promoted version on --held-out'),
    json: { ...toggle(false, 'events on standard output, one JSON object a line'), transient: true },
  }),
} satisfies OptionTable;

export type FederateFlags = ValuesOf<typeof federateOptions>;
