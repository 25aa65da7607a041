/** Cutlayer's client library: adapt a vendor's model to one's own data without sending text or labels. */

// What appears in the signatures above.
export type { Broadcast } from '../../src/agreement/chain.js';
export type { FederationApi } from '../../src/agreement/federation-api.js';
export { CutlayerError, type ErrorCode } from '../../src/errors.js';
export { epsilonOf, type Guarantee } from '../../src/privacy/accountant.js';
export { gaussianEvent, type PrivacyEvent, type Sampling } from '../../src/privacy/event.js';
export { poissonSample } from '../../src/privacy/random.js';
export { type PrivacyStatement, statementText } from '../../src/privacy/statement.js';
export type { IdentityKey } from '../../src/secagg/signature.js';
export { f32, type Tensor, tensor } from '../../src/tensor/tensor.js';
export type { WireDType } from '../../src/wire/wire-dtype.js';
export {
  type Adapter,
  type AdapterDims,
  type AdapterKind,
  type MethodName,
  methodNames,
  type Parameter,
  type StepCotangents,
  type StepParts,
} from './adapters/adapter.js';
export { combine } from './adapters/combine.js';
export type { AdapterContext, AdapterModel } from './adapters/context.js';
export { loadAdapter } from './adapters/load.js';
export { Prefix } from './adapters/prefix.js';
export { createAdapter, defaultLearningRate, methods } from './adapters/registry.js';
export { type MethodSettings, type MethodSettingsInput, methodSettings } from './adapters/settings.js';
export { SoftPrompt, type SoftPromptInit } from './adapters/soft-prompt.js';
export { type Classification, type ClassifyOptions, classify } from './classify.js';
export { ClientBundle, type OpenBundleOptions } from './client-bundle.js';
export { type Connection, type ConnectOptions, connect, type WireCounters } from './connect.js';
export { type Batch, lossRows, makeBatch } from './data/batch.js';
export {
  type Example,
  type ExampleOptions,
  loadExamples,
  type Objective,
  type OverlongPolicy,
  objectives,
  toExamples,
} from './data/examples.js';
export { epochBatches, evaluationBatches } from './data/order.js';
export { type DataRecord, parseRecord } from './data/records.js';
export { TextTokenizer } from './data/text-tokenizer.js';
export { type EvaluateOptions, type Evaluation, evaluate } from './evaluate.js';
export { type CoordinatorLink, openCoordinatorLink } from './federation/coordinator-link.js';
export { DataFolder, type DataFolderOptions } from './federation/data/data-folder.js';
export { type ExamplesServer, type ExamplesServerOptions, serveExamples } from './federation/data/examples-server.js';
export { fixedData } from './federation/data/fixed-data.js';
export type { DataCounts, DataEvent, HeldOut, LocalData, RoundExamples } from './federation/data/local-data.js';
export { readVersions, type VersionRegistry } from './federation/data/read-versions.js';
export { type VersionView, versionsOf } from './federation/data/versions.js';
export { createIdentity, readIdentity } from './federation/identity-file.js';
export { Participant, type ParticipantOptions } from './federation/participant.js';
export type { ParticipantEvent, ParticipantSummary } from './federation/participant-events.js';
export { DirectoryState, MemoryState, type StateStore } from './federation/state-store.js';
export { type GenerateOptions, generate, generateTokens } from './generate.js';
export type { ModelCard } from './model-card.js';
export { AdamW, type AdamWOptions, type AdamWState } from './optimizers/adamw.js';
export { clipGradNorm } from './optimizers/clip.js';
export { type Schedule, type ScheduleName, schedule, scheduleNames } from './optimizers/schedule.js';
export type { StepPrivacy } from './privacy/private-gradient-sum.js';
export type { RunPrivacy } from './privacy/run-ledger.js';
export { type Cotangents, type ForwardInput, RemoteModel, type RemoteStep } from './remote-model.js';
export type { RetryNotice, RetryPolicy } from './retry.js';
export { type BatchResult, type GradientResult, SplitModel } from './split-model.js';
export { stepsOfEpochs, train } from './train.js';
export type { StepRecord, TrainEvent, TrainOptions, TrainSummary } from './train-options.js';
export { type StepResult, TrainingClient, type TrainingOptions } from './training-client.js';
