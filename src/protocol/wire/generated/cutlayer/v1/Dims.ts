// Original file: proto/cutlayer/v1/split.proto


export interface Dims {
  'hiddenSize'?: (number);
  /**
   * Blocks of the backbone alone; the whole model has cut.bottom + num_layers + cut.top.
   */
  'numLayers'?: (number);
  'numHeads'?: (number);
  'numKvHeads'?: (number);
  'headDim'?: (number);
  /**
   * Longest sequence, virtual tokens included.
   */
  'maxPositions'?: (number);
}

export interface Dims__Output {
  'hiddenSize': (number);
  /**
   * Blocks of the backbone alone; the whole model has cut.bottom + num_layers + cut.top.
   */
  'numLayers': (number);
  'numHeads': (number);
  'numKvHeads': (number);
  'headDim': (number);
  /**
   * Longest sequence, virtual tokens included.
   */
  'maxPositions': (number);
}
