// The Go package as a target of the benchmark: a module of its own, so that a machine that cannot get the package
// still builds all the others.
module grpcws.bench/servicekit

go 1.26.0

require (
	github.com/panyam/servicekit v0.1.0
	google.golang.org/grpc v1.84.0
	grpcws.bench/peers v0.0.0
)

replace grpcws.bench/peers => ../go
