// The gRPC interop server of grpc-go, with reflection.
//
//	interop --listen 127.0.0.1:0
//
// prints `listening grpc://ADDR` once it serves. The service is grpc-go's own; its program prints no address.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/interop"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/reflection"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:50051", "with port 0 the system chooses one")
	flag.Parse()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	grpc_testing.RegisterTestServiceServer(server, interop.NewTestServer())
	reflection.Register(server)
	fmt.Printf("listening grpc://%s\n", listener.Addr())
	log.Fatal(server.Serve(listener))
}
