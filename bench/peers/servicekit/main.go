// Command servicekit bridges with the Go package, with its default settings and its logs off.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"

	"github.com/panyam/servicekit/grpcws"
	gohttp "github.com/panyam/servicekit/http"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"grpcws.bench/peers/benchpb"
)

const prefix = "/grpcws.bench.v1.BenchService/"

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	upstream := flag.String("upstream", "", "host and port of the gRPC server")
	flag.Parse()
	connection, err := grpc.NewClient(*upstream, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	// The package logs each connection.
	log.SetOutput(io.Discard)
	fmt.Printf("listening ws://%s\n", listener.Addr())
	fmt.Println(http.Serve(listener, routes(benchpb.NewBenchServiceClient(connection))))
}

func routes(client benchpb.BenchServiceClient) http.Handler {
	event := func() *benchpb.Event { return &benchpb.Event{} }
	mux := http.NewServeMux()
	mux.HandleFunc(prefix+"Subscribe", gohttp.WSServe(grpcws.NewServerStreamHandler(
		func(ctx context.Context, request *benchpb.SubscribeRequest) (benchpb.BenchService_SubscribeClient, error) {
			return client.Subscribe(ctx, request)
		}, subscribeRequest), nil))
	mux.HandleFunc(prefix+"Collect", gohttp.WSServe(grpcws.NewClientStreamHandler(
		func(ctx context.Context) (benchpb.BenchService_CollectClient, error) {
			return client.Collect(ctx)
		}, event), nil))
	mux.HandleFunc(prefix+"Echo", gohttp.WSServe(grpcws.NewBidiStreamHandler(
		func(ctx context.Context) (benchpb.BenchService_EchoClient, error) {
			return client.Echo(ctx)
		}, event), nil))
	return mux
}

func subscribeRequest(r *http.Request) (*benchpb.SubscribeRequest, error) {
	query := r.URL.Query()
	count, _ := strconv.ParseInt(query.Get("count"), 10, 64)
	size, _ := strconv.ParseInt(query.Get("size"), 10, 32)
	rate, _ := strconv.ParseFloat(query.Get("rate"), 64)
	return &benchpb.SubscribeRequest{Count: count, Size: int32(size), Rate: rate}, nil
}
