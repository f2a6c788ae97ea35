// The .proto files of etcd's API and what they import, pinned. Nothing here is built.
module grpcws.dev/tests/etcd

go 1.23.0

require (
	github.com/gogo/protobuf v1.3.2
	go.etcd.io/etcd/api/v3 v3.5.21
)
