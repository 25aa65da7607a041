// Original file: proto/cutlayer/v1/federation.proto


export interface Metrics {
  'loss'?: (number | string);
  'accuracy'?: (number | string);
  'exactMatch'?: (number | string);
}

export interface Metrics__Output {
  'loss': (number);
  'accuracy': (number);
  'exactMatch': (number);
}
