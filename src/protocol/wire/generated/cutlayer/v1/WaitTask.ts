// Original file: proto/cutlayer/v1/federation.proto


export interface WaitTask {
  /**
   * For people: what is waited for.
   */
  'reason'?: (string);
}

export interface WaitTask__Output {
  /**
   * For people: what is waited for.
   */
  'reason': (string);
}
