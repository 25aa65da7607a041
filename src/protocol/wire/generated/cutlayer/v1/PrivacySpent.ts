// Original file: proto/cutlayer/v1/federation.proto


export interface PrivacySpent {
  'unit'?: (string);
  'epsilon'?: (number | string);
  'delta'?: (number | string);
  'rounds'?: (number);
  'sampling'?: (string);
  'maxEpsilon'?: (number | string);
}

export interface PrivacySpent__Output {
  'unit': (string);
  'epsilon': (number);
  'delta': (number);
  'rounds': (number);
  'sampling': (string);
  'maxEpsilon': (number);
}
