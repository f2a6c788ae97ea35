// The test service grpcws.test.v1 on grpc-go: a gRPC server that is not ours.
//
//	server --listen 127.0.0.1:0
//
// prints `listening grpc://ADDR` once it serves. The proto is the Rust service's own file, compiled at the start, and
// its comments say what each knob does. Here are the knobs that the suite tests/node/bridge.mjs turns: a script comes
// in `test-script-bin` or in the first message, there is no pace, and Stats counts calls without listing them.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"

	"github.com/bufbuild/protocompile"
	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:50051", "with port 0 the system chooses one")
	protos := flag.String("proto", "crates/grpcws-test/proto", "the folder of the proto")
	flag.Parse()
	if err := serve(*listen, *protos); err != nil {
		log.Fatal(err)
	}
}

func serve(listen, protos string) error {
	description, err := compile(protos)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	server.RegisterService(newService(description).description(), nil)
	// Both versions, v1 and v1alpha.
	reflection.Register(server)
	fmt.Printf("listening grpc://%s\n", listener.Addr())
	return server.Serve(listener)
}

// compile reads the proto, and lets reflection find it.
func compile(folder string) (protoreflect.ServiceDescriptor, error) {
	sources := &protocompile.SourceResolver{ImportPaths: []string{folder}}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(sources)}
	files, err := compiler.Compile(context.Background(), "grpcws/test/v1/test.proto")
	if err != nil {
		return nil, err
	}
	if err := protoregistry.GlobalFiles.RegisterFile(files[0]); err != nil {
		return nil, err
	}
	return files[0].Services().ByName("TestService"), nil
}
