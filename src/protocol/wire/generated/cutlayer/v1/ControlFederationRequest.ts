// Original file: proto/cutlayer/v1/federation.proto


export interface ControlFederationRequest {
  'federation'?: (string);
  /**
   * Begins, or goes on after a pause.
   */
  'start'?: (boolean);
  /**
   * The round under way is aborted; no new one begins until start.
   */
  'pause'?: (boolean);
  /**
   * Ends the federation for good.
   */
  'finish'?: (boolean);
  /**
   * Makes an earlier version the promoted one.
   */
  'rollback'?: (number);
  'action'?: "start"|"pause"|"finish"|"rollback";
}

export interface ControlFederationRequest__Output {
  'federation': (string);
  /**
   * Begins, or goes on after a pause.
   */
  'start'?: (boolean);
  /**
   * The round under way is aborted; no new one begins until start.
   */
  'pause'?: (boolean);
  /**
   * Ends the federation for good.
   */
  'finish'?: (boolean);
  /**
   * Makes an earlier version the promoted one.
   */
  'rollback'?: (number);
  'action'?: "start"|"pause"|"finish"|"rollback";
}
