// Original file: proto/cutlayer/v1/split.proto


export interface Dims {
  'hiddenSize'?: (number);
  'numLayers'?: (number);
  'numHeads'?: (number);
  'numKvHeads'?: (number);
  'headDim'?: (number);
  'maxPositions'?: (number);
}

export interface Dims__Output {
  'hiddenSize': (number);
  'numLayers': (number);
  'numHeads': (number);
  'numKvHeads': (number);
  'headDim': (number);
  'maxPositions': (number);
}
