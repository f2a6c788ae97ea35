// The Go package as a target of the benchmark: a module of its own, so that a machine that cannot get the package
// still builds all the others.
module grpcws.bench/servicekit

go 1.26.0

require (
	github.com/panyam/servicekit v0.1.0
	google.golang.org/grpc v1.84.0
	grpcws.bench/peers v0.0.0
)

require (
	github.com/gorilla/websocket v1.5.3 // indirect
	github.com/grpc-ecosystem/grpc-gateway/v2 v2.26.1 // indirect
	github.com/panyam/gocurrent v0.1.0 // indirect
	github.com/panyam/goutils v0.1.8 // indirect
	golang.org/x/net v0.57.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/text v0.40.0 // indirect
	golang.org/x/time v0.15.0 // indirect
	google.golang.org/genproto/googleapis/api v0.0.0-20260706201446-f0a921348800 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260706201446-f0a921348800 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)

replace grpcws.bench/peers => ../go
