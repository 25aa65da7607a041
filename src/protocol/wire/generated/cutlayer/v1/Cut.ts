// Original file: proto/cutlayer/v1/split.proto


export interface Cut {
  'bottom'?: (number);
  'top'?: (number);
}

export interface Cut__Output {
  'bottom': (number);
  'top': (number);
}
