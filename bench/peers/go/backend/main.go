// Command backend is the benchmark's service on grpc-go.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/types/known/timestamppb"

	"grpcws.bench/peers/benchpb"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	flag.Parse()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	benchpb.RegisterBenchServiceServer(server, service{})
	reflection.Register(server)
	fmt.Printf("listening grpc://%s\n", listener.Addr())
	log.Fatal(server.Serve(listener))
}

type service struct {
	benchpb.UnimplementedBenchServiceServer
}

// event is the same in both backends: its JSON has about 190 bytes.
func event(size int32) *benchpb.Event {
	text := "rook takes e5"
	if size > 0 {
		text = strings.Repeat("the quick brown fox jumps over the lazy dog ", int(size)/44+1)[:size]
	}
	return &benchpb.Event{
		GameId:   "game-7f3a21",
		PlayerId: "player-0042",
		Kind:     benchpb.Kind_KIND_MOVE,
		X:        12.5,
		Y:        -3.25,
		At:       &timestamppb.Timestamp{Seconds: 1_790_000_000, Nanos: 250_000_000},
		Text:     text,
	}
}

func (service) Subscribe(request *benchpb.SubscribeRequest, stream benchpb.BenchService_SubscribeServer) error {
	event, start := event(request.Size), time.Now()
	for request.Count == 0 || event.Sequence < request.Count {
		event.Sequence++
		if request.Rate > 0 {
			due := start.Add(time.Duration(float64(event.Sequence) / request.Rate * float64(time.Second)))
			select {
			case <-stream.Context().Done():
				return nil
			case <-time.After(time.Until(due)):
			}
			event.SentNs = time.Now().UnixNano()
		}
		if err := stream.Send(event); err != nil {
			return err
		}
	}
	return nil
}

func (service) Collect(stream benchpb.BenchService_CollectServer) error {
	var count int64
	for {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&benchpb.Summary{Count: count})
		}
		if err != nil {
			return err
		}
		count++
	}
}

func (service) Echo(stream benchpb.BenchService_EchoServer) error {
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(event); err != nil {
			return err
		}
	}
}
