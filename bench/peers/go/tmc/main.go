// Command tmc is tmc/grpc-websocket-proxy in front of grpc-gateway, both with their default settings.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/tmc/grpc-websocket-proxy/wsproxy"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"grpcws.bench/peers/benchpb"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	upstream := flag.String("upstream", "", "host and port of the gRPC server")
	flag.Parse()
	gateway := runtime.NewServeMux()
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if err := benchpb.RegisterBenchServiceHandlerFromEndpoint(context.Background(), gateway, *upstream, options); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening ws://%s\n", listener.Addr())
	// The largest events are lines longer than the default buffer, which ends the stream.
	handler := wsproxy.WebsocketProxy(gateway, wsproxy.WithMaxRespBodyBufferSize(4<<20), wsproxy.WithLogger(quiet{}))
	log.Fatal(http.Serve(listener, handler))
}

type quiet struct{}

func (quiet) Warnln(...any)  {}
func (quiet) Debugln(...any) {}
