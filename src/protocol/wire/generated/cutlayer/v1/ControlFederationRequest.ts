// Original file: proto/cutlayer/v1/federation.proto


export interface ControlFederationRequest {
  'federation'?: (string);
  'start'?: (boolean);
  'pause'?: (boolean);
  'finish'?: (boolean);
  'rollback'?: (number);
  'action'?: "start"|"pause"|"finish"|"rollback";
}

export interface ControlFederationRequest__Output {
  'federation': (string);
  'start'?: (boolean);
  'pause'?: (boolean);
  'finish'?: (boolean);
  'rollback'?: (number);
  'action'?: "start"|"pause"|"finish"|"rollback";
}
