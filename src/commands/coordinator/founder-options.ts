/** Options of the commands of founders, and of the coordinator's tokens. */
import { coordinatorOptions } from '../../coordinator/config.js';
import { boundToOption, clientCertificateOptions } from '../../options/client-certificate-options.js';
import {
  number,
  type OptionTable,
  optional,
  path,
  positiveInteger,
  required,
  text,
  texts,
  toggle,
  under,
  type ValuesOf,
  withDefault,
} from '../../options/option.js';
import { signerOption } from '../../options/signer-option.js';

const stateDir = { ...coordinatorOptions.stateDir, text: 'state directory of the coordinator' };

/** By which a founder's command finds its coordinator. */
export const founderOptions = under('Coordinator', {
  coordinator: optional(text('host:port', 'where the coordinator is (default: the one that runs with --state-dir on this machine)')),
  ca: optional(path('file', "PEM file of the authority behind its certificate (default: the state directory's, or the system's)")),
  tokenFile: optional(path('file', 'file with an admin token (default: $CUTLAYER_TOKEN, or one made with the keys of --state-dir)')),
  ...clientCertificateOptions('coordinator'),
  insecure: toggle(false, 'no TLS; only for a coordinator on this machine'),
  stateDir,
  json: toggle(false, 'print one JSON line'),
});

/** Their values. */
export type FounderFlags = ValuesOf<typeof founderOptions>;

/** And its federation. */
export const federationOptions = {
  ...founderOptions,
  ...under('Federation', { federation: optional(text('id', 'its id, the beginning of it, or its name (default: the only one)')) }),
} satisfies OptionTable;

/** Their values. */
export type FederationFlags = ValuesOf<typeof federationOptions>;

/** Options of `create`. */
export const createOptions = {
  ...under('Federation', {
    bundle: optional(path('dir', 'client bundle of the backbone that is adapted (cutlayer pack)')),
    signer: signerOption("the bundle's"),
    member: withDefault(texts('name=key', 'a member and its public key, 64 hex digits or a file that holds them; repeat'), []),
    config: optional(path('file', 'settings, YAML; what is left out has a default')),
    name: optional(text('name', "the federation's name")),
    method: optional(text('method', 'adapter, as cutlayer client train --method (default: prompt-tuning)')),
    rounds: optional(positiveInteger('n', 'released aggregates after which it is finished (default: until stopped)')),
    minCohort: optional(positiveInteger('n', 'members that a round needs (default: 3)')),
    set: withDefault(texts('setting=value', 'any setting by its path, such as strategy.kind=fedadam; repeat'), []),
    start: toggle(false, 'begin at once'),
    printConfig: toggle(false, 'print all settings, as these flags and the defaults make them, and create nothing'),
  }),
  ...founderOptions,
} satisfies OptionTable;

/** Options of `status`. */
export const statusOptions = {
  ...federationOptions,
  watch: toggle(false, 'show it again every two seconds, until interrupted'),
} satisfies OptionTable;

/** Options of `stop`. */
export const stopOptions = { ...federationOptions, final: toggle(false, 'end it for good') } satisfies OptionTable;

const version = (description: string) =>
  number('n', description, 'expected the number of a version', (value) => Number.isInteger(value) && value >= 0 && value < 1e9);

/** Options of `rollback`. */
export const rollbackOptions = {
  ...federationOptions,
  version: required(version('the version; 0 is the initial adapter')),
} satisfies OptionTable;

/** Options of `export`. */
export const exportOptions = {
  ...federationOptions,
  out: required(path('dir', 'a new directory')),
  version: optional(version('the version (default: the promoted one)')),
  bundle: optional(path('dir', "client bundle of the backbone, to write the adapter in PEFT's files too")),
  signer: signerOption("the bundle's"),
} satisfies OptionTable;

/** Options of `token`. */
export const tokenOptions = {
  member: optional(text('name', 'for a participant: its name on the roster')),
  admin: optional(text('name', 'for a founder, who creates and steers federations')),
  ttl: withDefault(text('time', 'how long it lives: 90s, 15m, 24h or 30d'), '30d'),
  clientCert: boundToOption,
  stateDir: { ...stateDir, group: 'Options' },
} satisfies OptionTable;

/** Options of `backup`. */
export const storeOptions = {
  stateDir: { ...stateDir, group: 'Options' },
  database: { ...coordinatorOptions.database, group: 'Options' },
} satisfies OptionTable;

/** Options of `restore`. */
export const restoreOptions = {
  ...storeOptions,
  latestFile: { ...coordinatorOptions.latestFile, text: "the coordinator's --latest-file, where it has one", group: 'Options' },
  force: toggle(false, 'replace a database and files that are there'),
} satisfies OptionTable;

/** Values of the tables above. */
export type CreateFlags = ValuesOf<typeof createOptions>;
export type StatusFlags = ValuesOf<typeof statusOptions>;
export type ExportFlags = ValuesOf<typeof exportOptions>;
