// Command plain bridges as one writes it in Go in an afternoon: gorilla/websocket, grpc-go, protojson, one
// envelope and one write for each message. It speaks the protocol of the Go package, from that package's
// documentation, and is a stand-in for it where the package itself cannot be had; it is not that package.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

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
	client := benchpb.NewBenchServiceClient(connection)
	mux := http.NewServeMux()
	mux.HandleFunc(prefix+"Subscribe", serve(func(ctx context.Context, socket *socket, query *http.Request) error {
		return subscribe(ctx, client, socket, query)
	}))
	mux.HandleFunc(prefix+"Collect", serve(func(ctx context.Context, socket *socket, _ *http.Request) error {
		return collect(ctx, client, socket)
	}))
	mux.HandleFunc(prefix+"Echo", serve(func(ctx context.Context, socket *socket, _ *http.Request) error {
		return echo(ctx, client, socket)
	}))
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening ws://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, mux))
}

// envelope is every message of the protocol.
type envelope struct {
	Type   string `json:"type"`
	Data   any    `json:"data,omitempty"`
	Error  string `json:"error,omitempty"`
	PingID int64  `json:"pingId,omitempty"`
}

// socket lets the heartbeat and the stream write to one connection.
type socket struct {
	*websocket.Conn
	lock sync.Mutex
}

func (s *socket) send(message envelope) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.WriteMessage(websocket.TextMessage, text)
}

func (s *socket) sendData(message proto.Message) error {
	payload, err := protojson.Marshal(message)
	if err != nil {
		return err
	}
	return s.send(envelope{Type: "data", Data: json.RawMessage(payload)})
}

// receive returns the next message of the client that matters to the stream, or io.EOF at its half-close.
func (s *socket) receive(message proto.Message) error {
	for {
		_, text, err := s.ReadMessage()
		if err != nil {
			return err
		}
		var envelope struct {
			Type string          `json:"type"`
			Data json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(text, &envelope); err != nil {
			return err
		}
		switch envelope.Type {
		case "data":
			return protojson.Unmarshal(envelope.Data, message)
		case "end_send":
			return io.EOF
		case "cancel":
			return context.Canceled
		}
	}
}

func serve(stream func(context.Context, *socket, *http.Request) error) http.HandlerFunc {
	upgrader := websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024}
	return func(w http.ResponseWriter, request *http.Request) {
		connection, err := upgrader.Upgrade(w, request, nil)
		if err != nil {
			return
		}
		defer connection.Close()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		socket := &socket{Conn: connection}
		go ping(ctx, socket)
		last := envelope{Type: "stream_end"}
		if err := stream(ctx, socket, request); err != nil {
			last = envelope{Type: "error", Error: err.Error()}
		}
		_ = socket.send(last)
	}
}

func ping(ctx context.Context, socket *socket) {
	ticker := time.NewTicker(30 * time.Second)
	defer ticker.Stop()
	for id := int64(1); ; id++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = socket.send(envelope{Type: "ping", PingID: id})
		}
	}
}

func subscribe(ctx context.Context, client benchpb.BenchServiceClient, socket *socket, query *http.Request) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	values := query.URL.Query()
	count, _ := strconv.ParseInt(values.Get("count"), 10, 64)
	size, _ := strconv.ParseInt(values.Get("size"), 10, 32)
	rate, _ := strconv.ParseFloat(values.Get("rate"), 64)
	stream, err := client.Subscribe(ctx, &benchpb.SubscribeRequest{Count: count, Size: int32(size), Rate: rate})
	if err != nil {
		return err
	}
	go func() {
		// Nothing but control messages may come; the end of the socket cancels the call.
		defer cancel()
		for socket.receive(&benchpb.Event{}) == nil {
		}
	}()
	return down(socket, stream)
}

func collect(ctx context.Context, client benchpb.BenchServiceClient, socket *socket) error {
	stream, err := client.Collect(ctx)
	if err != nil {
		return err
	}
	if err := up(socket, stream); err != nil {
		return err
	}
	summary, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	return socket.sendData(summary)
}

func echo(ctx context.Context, client benchpb.BenchServiceClient, socket *socket) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.Echo(ctx)
	if err != nil {
		return err
	}
	go func() {
		if up(socket, stream) != nil {
			cancel()
			return
		}
		_ = stream.CloseSend()
	}()
	return down(socket, stream)
}

func up(socket *socket, stream interface{ Send(*benchpb.Event) error }) error {
	for {
		event := &benchpb.Event{}
		err := socket.receive(event)
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

func down(socket *socket, stream interface {
	Recv() (*benchpb.Event, error)
}) error {
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := socket.sendData(event); err != nil {
			return err
		}
	}
}
