// Original file: proto/cutlayer/v1/federation.proto

import type { Stage as _cutlayer_v1_Stage, Stage__Output as _cutlayer_v1_Stage__Output } from '../../cutlayer/v1/Stage.js';

export interface NextTaskRequest {
  'federation'?: (string);
  'waitMs'?: (number);
  'broadcastsKnown'?: (number);
  'newExamplesReady'?: (boolean);
  'canEvaluate'?: (boolean);
  'doneRound'?: (number);
  'doneStage'?: (_cutlayer_v1_Stage);
}

export interface NextTaskRequest__Output {
  'federation': (string);
  'waitMs': (number);
  'broadcastsKnown': (number);
  'newExamplesReady': (boolean);
  'canEvaluate': (boolean);
  'doneRound': (number);
  'doneStage': (_cutlayer_v1_Stage__Output);
}
