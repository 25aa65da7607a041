// Original file: proto/cutlayer/v1/split.proto


export interface GetModelRequest {
}

export interface GetModelRequest__Output {
}
