// Original file: proto/cutlayer/v1/federation.proto

import type { Stage as _cutlayer_v1_Stage, Stage__Output as _cutlayer_v1_Stage__Output } from '../../cutlayer/v1/Stage.js';

export interface NextTaskRequest {
  'federation'?: (string);
  /**
   * Longest time to wait; the answer comes before the call's deadline in any case.
   */
  'waitMs'?: (number);
  /**
   * Sequence number of the newest broadcast that the caller has, plus one; 0: none.
   */
  'broadcastsKnown'?: (number);
  /**
   * Examples that have come since the caller last trained reach the trigger's count.
   */
  'newExamplesReady'?: (boolean);
  /**
   * Whether the caller has held-out examples, without which it sits out evaluate rounds.
   */
  'canEvaluate'?: (boolean);
  /**
   * Number of the round for which the caller has done all that it was asked for in `done_stage`; the answer is never that task again.
   */
  'doneRound'?: (number);
  'doneStage'?: (_cutlayer_v1_Stage);
}

export interface NextTaskRequest__Output {
  'federation': (string);
  /**
   * Longest time to wait; the answer comes before the call's deadline in any case.
   */
  'waitMs': (number);
  /**
   * Sequence number of the newest broadcast that the caller has, plus one; 0: none.
   */
  'broadcastsKnown': (number);
  /**
   * Examples that have come since the caller last trained reach the trigger's count.
   */
  'newExamplesReady': (boolean);
  /**
   * Whether the caller has held-out examples, without which it sits out evaluate rounds.
   */
  'canEvaluate': (boolean);
  /**
   * Number of the round for which the caller has done all that it was asked for in `done_stage`; the answer is never that task again.
   */
  'doneRound': (number);
  'doneStage': (_cutlayer_v1_Stage__Output);
}
