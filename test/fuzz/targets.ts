/** The targets by name; a target is the module of its name in `targets/`. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What each target reads. */
export const targets = {
  'split-requests': 'requests to a gateway: Forward, Backward, KeyValues',
  'decode-requests': 'messages of a decode stream',
  'federation-requests': 'requests of members and founders to a coordinator',
  answers: 'answers of gateway and coordinator, and the details of failed calls',
  tensors: 'tensors on the wire',
  safetensors: 'safetensors files: header and tensors',
  'safetensors-index': 'the index file of a sharded checkpoint',
  'artifact-manifests': 'manifest.json of backbones and client bundles',
  'federation-manifests': 'signed manifests of federations, and broadcasts',
  'model-configs': 'config.json of checkpoints',
  'adapter-files': 'adapter_config.json and cutlayer_adapter.json',
  'onboarding-files': 'files of cutlayer gateway onboard',
  'client-assertions': 'assertions with which clients prove themselves to the token endpoint',
  'dpop-proofs': 'DPoP proofs of requests',
  'token-requests': 'forms that ask for a token',
  'revocation-requests': 'forms that revoke a token',
  'client-registrations': 'bodies that register a client, and its keys',
  'tenant-limits': 'bodies that change what bounds a tenant',
  'price-files': 'YAML files of prices',
  'protection-policies': 'YAML files of protection policies',
  'invite-files': 'files of cutlayer coordinator invite',
  'option-files': 'YAML files of options',
  'federation-settings': "YAML files of a founder's settings, and --set",
  'serving-requests': 'requests to the local endpoint, and tool calls in answers',
  'json-schemas': 'JSON schemas that a text is held to, and texts drawn from them',
  'constraint-patterns': 'regular expressions and choices that a text is held to, and texts drawn from them',
  feedback: 'feedback on completions that is handed in',
  jsonl: 'data files and bodies of JSON lines',
  parquet: 'data files in Parquet',
  'chat-templates': 'Jinja templates of a tokenizer',
  tokenizers: 'tokenizer.json of checkpoints, and what it makes of a text',
  onnx: 'ONNX models, up to the compiled backbone',
} as const;

/** A target's name. */
export type TargetName = keyof typeof targets;

export const targetNames = Object.keys(targets) as TargetName[]; // the keys of a closed table

/** The compiled module of a target. */
export const targetModule = (name: TargetName): string => join(fileURLToPath(new URL('targets', import.meta.url)), `${name}.js`);
