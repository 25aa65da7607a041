/** Cutlayer's client library: adapt a vendor's model to own data without sending text or labels. */

export type { SpanKind } from '../../src/artifacts/manifest.js';
export { CutlayerError, type ErrorCode } from '../../src/errors.js';
export { epsilonOf, type Guarantee } from '../../src/privacy/accountant.js';
export { gaussianEvent, type PrivacyEvent, type Sampling } from '../../src/privacy/event.js';
export { poissonSample } from '../../src/privacy/random.js';
export { type PrivacyStatement, statementText } from '../../src/privacy/statement.js';
// What appears in the signatures above.
export type { Broadcast } from '../../src/protocol/federation/chain.js';
export type { FederationApi } from '../../src/protocol/federation/federation-api.js';
export type { IdentityKey } from '../../src/protocol/secagg/signature.js';
export type { WireDType } from '../../src/protocol/wire/wire-dtype.js';
export { f32, type Tensor, tensor } from '../../src/tensor/tensor.js';
export {
  type Adapter,
  type AdapterDims,
  type MethodName,
  methodNames,
  type Parameter,
  type StepCotangents,
  type StepParts,
} from './adapters/adapter.js';
export { combine } from './adapters/combine.js';
export type { AdapterContext, AdapterModel } from './adapters/context.js';
export { firstMap, type LearnedMap, type MapWeight } from './adapters/learned-map.js';
export { LearnedRows } from './adapters/learned-rows.js';
export { loadAdapter } from './adapters/load.js';
export { Prefix } from './adapters/prefix.js';
export { createAdapter, defaultLearningRate, methods } from './adapters/registry.js';
export type { MethodSettings, MethodSettingsInput } from './adapters/setting-table.js';
export { methodSettings } from './adapters/settings.js';
export { SoftPrompt, type SoftPromptInit } from './adapters/soft-prompt.js';
export type { AttestationOptions } from './connection/attestation/attested-clients.js';
export type { AttestationPolicy, Attested, NvidiaPolicy } from './connection/attestation/policy.js';
export { type Connection, type ConnectOptions, connect, type WireCounters } from './connection/connect.js';
export { type Authorize, httpAuthorization } from './connection/http-authorization.js';
export type { RetryNotice, RetryPolicy } from './connection/retry.js';
export type { ServedModel, VirtualTokenKind } from './connection/served-model.js';
export { type Batch, lossRows, makeBatch } from './data/batch.js';
export {
  type Example,
  type ExampleOptions,
  loadExamples,
  type OverlongPolicy,
  toExamples,
} from './data/examples.js';
export type { ChatMessage, Conversation } from './data/messages.js';
export { type Objective, objectives } from './data/objectives.js';
export { epochBatches, evaluationBatches } from './data/order.js';
export { type DataRecord, parseRecord } from './data/records.js';
export { TextTokenizer } from './data/text-tokenizer.js';
export { type Defence, defenceText, type RecordedDefence } from './defences/defence.js';
export { Defences } from './defences/defences.js';
export { type EntityKind, entityKindNames } from './defences/entities.js';
export { type LabelNoise, type LabelNoiseOptions, type LabelSpace, labelNoise, type NoisedLabels } from './defences/label-noise.js';
export { type LearnedNoiseOptions, learnedNoise } from './defences/learned-noise.js';
export { LearnedPass } from './defences/learned-pass.js';
export { NoiseSecret } from './defences/noise-secret.js';
export { type PadLengths, padLengths } from './defences/pad-lengths.js';
export { type Redaction, type RedactionOptions, type Redactor, redactor } from './defences/redaction.js';
export { type RowNoiseOptions, rowNoise } from './defences/row-noise.js';
export type { PullBack, RowPlace, RowStage, TextRows } from './defences/row-stage.js';
export { tokenGuarantee } from './defences/token-guarantee.js';
export { type TokenNoiseOptions, tokenNoise } from './defences/token-noise.js';
export { type CoordinatorConnection, openCoordinatorConnection } from './federation/coordinator-connection.js';
export { DataFolder, type DataFolderOptions } from './federation/data/data-folder.js';
export { fixedData } from './federation/data/fixed-data.js';
export type { DataCounts, DataEvent, HeldOut, LocalData, RoundExamples } from './federation/data/local-data.js';
export { readVersions, type VersionRegistry } from './federation/data/read-versions.js';
export { createIdentity, readIdentity } from './federation/identity-file.js';
export { MemberStore } from './federation/member-store.js';
export { Participant, type ParticipantOptions } from './federation/participant.js';
export type { ParticipantEvent, ParticipantSummary } from './federation/participant-events.js';
export { type BeamOptions, type BeamText, searchBeams } from './inference/beams/search-beams.js';
export { type Classification, type ClassifyOptions, classify } from './inference/classify.js';
export type { ContinuationOptions, Finish, Piece } from './inference/continuation.js';
export { type EvaluateOptions, type EvaluationResult, evaluate } from './inference/evaluate.js';
export { continueAll, type GenerateOptions, generate, generateTokens, type NumberedPiece, type Prompt } from './inference/generate.js';
export type { Constraint } from './inference/grammar/constraint.js';
export type { TokenLogprob } from './inference/sampling/logprobs.js';
export type { SamplingOptions } from './inference/sampling/settings.js';
export { type ExamplesServer, type ExamplesServerOptions, serveExamples } from './intake/examples-server.js';
export { ClientBundle, type OpenBundleOptions } from './model/client-bundle.js';
export { DraftModel, type DraftModelOptions } from './model/draft-model.js';
export { type Cotangents, type ForwardInput, RemoteModel, type RemoteStep } from './model/remote-model.js';
export { rowDeviation } from './model/row-deviation.js';
export { type BatchResult, type GradientResult, SplitModel } from './model/split-model.js';
export { AdamW, type AdamWOptions, type AdamWState } from './optimizers/adamw.js';
export { clipGradNorm } from './optimizers/clip.js';
export { type Schedule, type ScheduleName, schedule, scheduleNames } from './optimizers/schedule.js';
export type { StepPrivacy } from './training/privacy/private-gradient-sum.js';
export type { RunPrivacy } from './training/privacy/run-ledger.js';
export { stepsOfEpochs, train } from './training/train.js';
export type { StepRecord, TrainEvent, TrainOptions, TrainSummary } from './training/train-options.js';
export { type StepResult, TrainingClient, type TrainingOptions } from './training/training-client.js';
export { type VersionView, versionsOf } from './versions/version-registry.js';
