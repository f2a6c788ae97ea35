//go:build oracle

// The oracle of the routes: gRPC-Gateway's generated code for random rules, which says for each HTTP request what it
// would send to the upstream.
//
// It reads a request a line as JSON and answers each with a line of JSON. The package rules is generated: see
// crates/grpcws/examples/random_routes.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"grpcws.test/routes/rules"
)

// request is one HTTP request.
type request struct {
	Verb   string  `json:"verb"`
	Target string  `json:"target"`
	Body   *string `json:"body"`
}

// answer is what became of a request: the call that the upstream would get, or the HTTP status of a refusal.
type answer struct {
	Method  string `json:"method,omitempty"`
	Message []byte `json:"message,omitempty"`
	Status  int    `json:"status,omitempty"`
	Error   string `json:"error,omitempty"`
}

// recorder stands in for the connection to an upstream: it keeps the request of a call.
type recorder struct {
	method  string
	message []byte
}

func (r *recorder) record(method string, message any) error {
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(message.(proto.Message))
	r.method, r.message = method, wire
	return err
}

func (r *recorder) Invoke(_ context.Context, method string, message, _ any, _ ...grpc.CallOption) error {
	return r.record(method, message)
}

func (r *recorder) NewStream(ctx context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	return &stream{ctx: ctx, recorder: r, method: method}, nil
}

// stream is a server stream without messages.
type stream struct {
	ctx      context.Context
	recorder *recorder
	method   string
}

func (s *stream) Header() (metadata.MD, error) { return nil, nil }
func (s *stream) Trailer() metadata.MD         { return nil }
func (s *stream) CloseSend() error             { return nil }
func (s *stream) Context() context.Context     { return s.ctx }
func (s *stream) SendMsg(message any) error    { return s.recorder.record(s.method, message) }
func (s *stream) RecvMsg(any) error            { return io.EOF }

func main() {
	recorded := &recorder{}
	mux := runtime.NewServeMux(runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptReserved))
	if err := rules.RegisterRulesHandlerClient(context.Background(), mux, rules.NewRulesClient(recorded)); err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			log.Fatal(err)
		}
		*recorded = recorder{}
		if err := encoder.Encode(ask(mux, recorded, asked)); err != nil {
			log.Fatal(err)
		}
		if err := out.Flush(); err != nil {
			log.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}

func ask(mux http.Handler, recorded *recorder, asked request) answer {
	var body io.Reader
	if asked.Body != nil {
		body = bytes.NewBufferString(*asked.Body)
	}
	sent, err := http.NewRequest(asked.Verb, "http://oracle.test"+asked.Target, body)
	if err != nil {
		return answer{Status: http.StatusBadRequest, Error: fmt.Sprint("no URL: ", err)}
	}
	if sent.Body == nil {
		sent.Body = http.NoBody
	}
	response := httptest.NewRecorder()
	mux.ServeHTTP(response, sent)
	if recorded.method == "" {
		return answer{Status: response.Code, Error: response.Body.String()}
	}
	return answer{Method: recorded.method, Message: recorded.message}
}
