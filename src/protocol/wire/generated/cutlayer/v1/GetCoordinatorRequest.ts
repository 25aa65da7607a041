// Original file: proto/cutlayer/v1/federation.proto


export interface GetCoordinatorRequest {
}

export interface GetCoordinatorRequest__Output {
}
