// Original file: proto/cutlayer/v1/federation.proto


export interface Accepted {
}

export interface Accepted__Output {
}
