/** Names of fields that may hold secrets: the log strikes them out, the audit log refuses them. */
export const secretFields: readonly string[] = [
  'authorization',
  'token',
  'key',
  'privateKey',
  'data',
  'scales',
  'hiddenStates',
  'softPrompt',
  'prefix',
  'cotangent',
  'tokenIds',
  'labels',
  'text',
  'prompt',
  'completion',
];
