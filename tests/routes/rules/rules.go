// Package rules is generated for each run: see crates/grpcws/examples/random_routes. What stands here are the modules that
// generated code imports, so that they are pinned.
package rules

import (
	_ "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	_ "github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	_ "google.golang.org/genproto/googleapis/api/annotations"
	_ "google.golang.org/grpc"
	_ "google.golang.org/protobuf/proto"
)
