package main

import (
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// service serves grpcws.test.v1.TestService.
type service struct {
	descriptor protoreflect.ServiceDescriptor
	stats      stats
}

func newService(descriptor protoreflect.ServiceDescriptor) *service {
	return &service{descriptor: descriptor, stats: stats{counts: map[string]map[outcome]int64{}}}
}

// description registers every method as a stream of messages that are known by their descriptors; that is what
// generated code would add to.
func (s *service) description() *grpc.ServiceDesc {
	behaviours := map[protoreflect.Name]func(*call) error{
		"Unary": unary, "ServerStream": serverStream, "ClientStream": clientStream, "Bidi": bidi,
	}
	description := &grpc.ServiceDesc{
		ServiceName: string(s.descriptor.FullName()),
		Metadata:    s.descriptor.ParentFile().Path(),
	}
	for index := range s.descriptor.Methods().Len() {
		method := s.descriptor.Methods().Get(index)
		behaviour := behaviours[method.Name()]
		description.Streams = append(description.Streams, grpc.StreamDesc{
			StreamName:    string(method.Name()),
			ServerStreams: method.IsStreamingServer(),
			ClientStreams: method.IsStreamingClient(),
			Handler: func(_ any, stream grpc.ServerStream) error {
				call := &call{ServerStream: stream, method: method, stats: &s.stats}
				if behaviour == nil {
					return call.answerStats()
				}
				return call.follow(behaviour)
			},
		})
	}
	return description
}

// call is one RPC.
type call struct {
	grpc.ServerStream
	method protoreflect.MethodDescriptor
	stats  *stats
	tag    string
	// The numbers of messages so far.
	received, sent int64
	sequence       sequence
}

// follow runs a method and enters it into the statistics for as long as it lasts.
func (c *call) follow(behaviour func(*call) error) error {
	c.stats.change("", "", live)
	err := behaviour(c)
	ending := completed
	switch {
	case c.Context().Err() != nil:
		ending = cancelled
	case err != nil:
		ending = failed
	}
	c.stats.change(c.tag, live, ending)
	return err
}

// label moves the call to its tag in the statistics.
func (c *call) label(tag string) {
	c.stats.change(c.tag, live, "")
	c.tag = tag
	c.stats.change(c.tag, "", live)
}

// read is the next request, or io.EOF at their end.
func (c *call) read() (message, error) {
	request := newMessage(c.method.Input())
	if err := c.RecvMsg(request.Message); err != nil {
		return request, err
	}
	c.received++
	return request, nil
}

func (c *call) write(response message) error {
	if err := c.SendMsg(response.Message); err != nil {
		return err
	}
	c.sent++
	return nil
}

// begin waits as asked, and sends the headers that were asked for.
func (c *call) begin(knobs message) (*answer, error) {
	c.label(knobs.text("tag"))
	if err := c.sleep(knobs.number("initial_delay_ms")); err != nil {
		return nil, err
	}
	answer, err := newAnswer(c.Context(), knobs)
	if err != nil {
		return nil, err
	}
	c.SetTrailer(answer.trailers)
	if len(answer.headers) > 0 {
		err = c.SendHeader(answer.headers)
	}
	return answer, err
}

// sleep waits for that many milliseconds, for ever where they are negative, or until the caller gives up.
func (c *call) sleep(milliseconds int64) error {
	if milliseconds == 0 {
		return nil
	}
	var over <-chan time.Time
	if milliseconds > 0 {
		over = time.After(time.Duration(milliseconds) * time.Millisecond)
	}
	select {
	case <-over:
		return nil
	case <-c.Context().Done():
		return status.FromContextError(c.Context().Err()).Err()
	}
}

// script is the script of the metadata, or else that of the first request, which then comes with it.
func (c *call) script() (script, first message, err error) {
	script = newMessage(c.method.Input().Fields().ByName("script").Message())
	incoming, _ := metadata.FromIncomingContext(c.Context())
	if encoded := incoming.Get("test-script-bin"); len(encoded) > 0 {
		if err := proto.Unmarshal([]byte(encoded[0]), script.Message); err != nil {
			return script, first, status.Error(codes.InvalidArgument, err.Error())
		}
		return script, first, nil
	}
	switch first, err = c.read(); {
	case errors.Is(err, io.EOF):
		return script, message{}, nil
	case err != nil:
		return script, first, err
	case first.has("script"):
		script = first.child("script")
	}
	return script, first, nil
}

func (c *call) answerStats() error {
	request, err := c.read()
	if err != nil {
		return err
	}
	response := newMessage(c.method.Output())
	c.stats.read(request.text("tag"), response)
	return c.write(response)
}

// sequence follows the sequence numbers of the requests.
type sequence struct {
	first, last, gaps int64
	begun             bool
}

func (s *sequence) enter(number int64) {
	if !s.begun {
		s.first, s.begun = number, true
	} else if number != s.last+1 {
		s.gaps++
	}
	s.last = number
}

// payload is size bytes in the pattern of the Rust service: byte i is i % 251.
func payload(size int64) []byte {
	bytes := make([]byte, size)
	for index := range bytes {
		bytes[index] = byte(index % 251)
	}
	return bytes
}
