// Original file: proto/cutlayer/v1/federation.proto


export interface ConfirmTask {
  'round'?: (number);
  'survivors'?: (string)[];
}

export interface ConfirmTask__Output {
  'round': (number);
  'survivors': (string)[];
}
