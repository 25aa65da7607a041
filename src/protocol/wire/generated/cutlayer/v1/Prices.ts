// Original file: proto/cutlayer/v1/split.proto


export interface Prices {
  'currency'?: (string);
  'forward'?: (string);
  'backward'?: (string);
  'decoded'?: (string);
  'cached'?: (string);
  'gigabyte'?: (string);
}

export interface Prices__Output {
  'currency': (string);
  'forward': (string);
  'backward': (string);
  'decoded': (string);
  'cached': (string);
  'gigabyte': (string);
}
