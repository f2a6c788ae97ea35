// Command direct is a grpc-go client without a bridge: one of the floors of the benchmark.
//
// It runs one scenario and prints what it measured of itself as a line of JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"grpcws.bench/peers/benchpb"
)

var (
	upstream = flag.String("upstream", "", "host and port of the gRPC server")
	scenario = flag.String("scenario", "subscribe", "subscribe, echo or collect")
	streams  = flag.Int("streams", 1, "streams")
	size     = flag.Int("size", 0, "size of the text")
	rate     = flag.Float64("rate", 0, "events per second and stream")
	inFlight = flag.Int("in-flight", 1, "echo: events under way on each stream")
	warmUp   = flag.Duration("warm-up", 300*time.Millisecond, "time before measuring")
	window   = flag.Duration("window", time.Second, "time of measuring")

	messages, failures atomic.Int64
)

func main() {
	flag.Parse()
	connection, err := grpc.NewClient(*upstream, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	client := benchpb.NewBenchServiceClient(connection)
	for range *streams {
		go func() {
			if err := run(context.Background(), client); err != nil {
				failures.Add(1)
			}
		}()
	}
	time.Sleep(*warmUp)
	cpu, count, start := cpuTime(), messages.Load(), time.Now()
	time.Sleep(*window)
	result := map[string]int64{
		"cpu_ns":     (cpuTime() - cpu).Nanoseconds(),
		"messages":   messages.Load() - count,
		"elapsed_ns": time.Since(start).Nanoseconds(),
		"errors":     failures.Load(),
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, client benchpb.BenchServiceClient) error {
	switch *scenario {
	case "echo":
		return echo(ctx, client)
	case "collect":
		stream, err := client.Collect(ctx)
		for event := sample(); err == nil; messages.Add(1) {
			err = stream.Send(event)
		}
		return err
	}
	request := &benchpb.SubscribeRequest{Size: int32(*size), Rate: *rate}
	stream, err := client.Subscribe(ctx, request)
	for ; err == nil; messages.Add(1) {
		_, err = stream.Recv()
	}
	return err
}

func echo(ctx context.Context, client benchpb.BenchServiceClient) error {
	stream, err := client.Echo(ctx)
	if err != nil {
		return err
	}
	event := sample()
	for range *inFlight - 1 {
		if err := stream.Send(event); err != nil {
			return err
		}
	}
	for ; err == nil; messages.Add(1) {
		if err = stream.Send(event); err == nil {
			_, err = stream.Recv()
		}
	}
	return err
}

func sample() *benchpb.Event {
	return &benchpb.Event{
		Sequence: 123456, GameId: "game-7f3a21", PlayerId: "player-0042", Kind: benchpb.Kind_KIND_MOVE,
		X: 12.5, Y: -3.25, Text: "rook takes e5",
	}
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
