// Original file: proto/cutlayer/v1/decode.proto


export interface CloseSession {
}

export interface CloseSession__Output {
}
