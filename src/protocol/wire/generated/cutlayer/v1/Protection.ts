// Original file: proto/cutlayer/v1/split.proto


export interface Protection {
  'backwardsPerForward'?: (number);
  'directionsPerStep'?: (number);
  'minTokens'?: (number);
  'directionsPerInput'?: (number);
  'nearInputs'?: (number);
  'minRowNorm'?: (number | string);
  'maxRowNorm'?: (number | string);
  'maxPromptNorm'?: (number | string);
  'rowsPerDay'?: (number | string);
  'alarmAt'?: (number | string);
}

export interface Protection__Output {
  'backwardsPerForward': (number);
  'directionsPerStep': (number);
  'minTokens': (number);
  'directionsPerInput': (number);
  'nearInputs': (number);
  'minRowNorm': (number);
  'maxRowNorm': (number);
  'maxPromptNorm': (number);
  'rowsPerDay': (number);
  'alarmAt': (number);
}
