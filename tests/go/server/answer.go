package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The values of EchoMetadata.
const (
	echoHeaders  = 1
	echoTrailers = 2
	echoMessage  = 3
)

// answer is everything in a response that is not a message.
type answer struct {
	headers  metadata.MD
	trailers metadata.MD
	// echoed is the metadata for the first message.
	echoed metadata.MD
	// limit is the number of messages after which the call fails.
	limit int64
	err   error
}

// newAnswer reads the knobs that every method has.
func newAnswer(ctx context.Context, knobs message) (*answer, error) {
	answer := &answer{
		headers:  toMetadata(knobs, "response_headers"),
		trailers: toMetadata(knobs, "response_trailers"),
		limit:    math.MaxInt64,
	}
	places := knobs.list("echo_metadata")
	for index := range places.Len() {
		switch places.Get(index).Enum() {
		case echoHeaders:
			answer.headers = metadata.Join(answer.headers, echo(ctx))
		case echoTrailers:
			answer.trailers = metadata.Join(answer.trailers, echo(ctx))
		case echoMessage:
			answer.echoed = received(ctx)
		}
	}
	if !knobs.has("fail") {
		return answer, nil
	}
	failure := knobs.child("fail").clone()
	answer.limit = max(failure.number("after"), 0)
	// google.rpc.Status has the fields of Failure under the same numbers, without `after`.
	failure.clear("after")
	encoded, err := proto.Marshal(failure.Message)
	if err != nil {
		return nil, err
	}
	var ending spb.Status
	if err := proto.Unmarshal(encoded, &ending); err != nil {
		return nil, err
	}
	answer.err = status.ErrorProto(&ending)
	return answer, nil
}

// fill writes the metadata of the request into the first response.
func (a *answer) fill(response message) {
	if a.echoed == nil {
		return
	}
	field := response.field("metadata")
	entries := response.Mutable(field).Map()
	for name, values := range a.echoed {
		entry := entries.NewValue()
		list := message{response.Message}.values(entry)
		for _, value := range values {
			if strings.HasSuffix(name, "-bin") {
				value = base64.RawStdEncoding.EncodeToString([]byte(value))
			}
			list.Append(protoreflect.ValueOfString(value))
		}
		entries.Set(protoreflect.ValueOfString(name).MapKey(), entry)
	}
	a.echoed = nil
}

// received is the metadata of the request as it stood in the headers.
func received(ctx context.Context) metadata.MD {
	pairs := metadata.MD{}
	incoming, _ := metadata.FromIncomingContext(ctx)
	for name, values := range incoming {
		if !strings.HasPrefix(name, ":") {
			pairs[name] = values
		}
	}
	// grpc-go keeps the header to itself; what is left of the deadline says the same.
	if deadline, ok := ctx.Deadline(); ok {
		pairs.Set("grpc-timeout", fmt.Sprintf("%dm", max(time.Until(deadline).Milliseconds(), 0)))
	}
	return pairs
}

// echo is the metadata of the request under names that may be sent back.
func echo(ctx context.Context) metadata.MD {
	pairs := metadata.MD{}
	for name, values := range received(ctx) {
		pairs["echo-"+name] = values
	}
	return pairs
}

// toMetadata reads a map from names to MetadataValues.
func toMetadata(knobs message, field string) metadata.MD {
	pairs := metadata.MD{}
	knobs.Get(knobs.field(field)).Map().Range(func(key protoreflect.MapKey, entry protoreflect.Value) bool {
		list := knobs.values(entry)
		for index := range list.Len() {
			value := list.Get(index).String()
			if strings.HasSuffix(key.String(), "-bin") {
				decoded, _ := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
				value = string(decoded)
			}
			pairs.Append(key.String(), value)
		}
		return true
	})
	return pairs
}

// values is the list in a MetadataValues.
func (m message) values(entry protoreflect.Value) protoreflect.List {
	inner := entry.Message()
	return inner.Mutable(inner.Descriptor().Fields().ByName("values")).List()
}
