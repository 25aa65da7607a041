// Original file: proto/cutlayer/v1/federation.proto


export interface ConfirmTask {
  'round'?: (number);
  /**
   * Whose masked vector has come, sorted.
   */
  'survivors'?: (string)[];
}

export interface ConfirmTask__Output {
  'round': (number);
  /**
   * Whose masked vector has come, sorted.
   */
  'survivors': (string)[];
}
