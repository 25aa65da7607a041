/**
 * What may be claimed of each defence, and no more: help, runs, `inspect` and documents show these
 * sentences.
 */
export const defenceClaims = {
  'row-noise':
    'A row that is sent again has the same noise, so that averaging over epochs and repeats removes none of it. ' +
    'There is no formal guarantee; without client-held blocks a look-up by the vendor still finds the tokens until the task is lost.',
  'learned-noise':
    'Each row is shifted and gets Gaussian noise, of sizes that are trained with the adapter and are in no message. ' +
    'There is no formal guarantee: an attacker that has these sizes finds tokens all the same. ' +
    'In training the noise begins small and is drawn anew for each step: the first steps show their texts, and averaging over epochs removes some of it.',
  'token-noise':
    'Every embedding is clipped and gets Gaussian noise, once for each record: what its row shows is bounded by the printed (token, epsilon, delta). ' +
    'It covers neither cotangents, and so labels, nor lengths, nor a whole text; at a small epsilon the task is lost.',
  'pad-lengths':
    'Lengths of sequences and sizes of messages are those of the listed lengths, for more rows up, and all of them down. ' +
    'To a party that looks at values, filler rows and zero cotangents show where a text ends.',
  'label-noise':
    'Each label of a training record is drawn anew before use: what is sent, and the adapter, show it within the printed (label, epsilon, delta 0). ' +
    'It covers neither validation data, nor what the text itself says of its label, as a model can read it.',
  redact:
    'Entities that the listed forms and words match are replaced before embedding, and put back here into generated text. ' +
    'What they do not match is sent like any other text; names are found by the list of words alone.',
} as const satisfies Readonly<Record<string, string>>;

/** The same of choices that are no stage of their own. */
export const choiceClaims = {
  '--method classification-head':
    'The head is made and trained here, and its values are in no message: a vendor without it tells which labels are the same, not what they are called. ' +
    'The audit gives it to A3 all the same.',
  '--method lora':
    'What training makes of held blocks is in no message: a search through the blocks as the vendor made them finds fewer tokens. ' +
    'An attacker that learns from other texts through those blocks finds most all the same, and the first steps of training show theirs.',
  '--wire int8': 'Nothing: values are rounded for smaller messages, and attackers find tokens and labels all the same.',
} as const satisfies Readonly<Record<string, string>>;
