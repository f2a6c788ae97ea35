package main

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// message is a protobuf message whose fields are reached by the names in the proto. A wrong name is a panic.
type message struct{ *dynamicpb.Message }

func newMessage(description protoreflect.MessageDescriptor) message {
	return message{dynamicpb.NewMessage(description)}
}

func (m message) field(name string) protoreflect.FieldDescriptor {
	field := m.Descriptor().Fields().ByName(protoreflect.Name(name))
	if field == nil {
		panic("no field " + name + " in " + string(m.Descriptor().FullName()))
	}
	return field
}

func (m message) has(name string) bool { return m.Has(m.field(name)) }

func (m message) text(name string) string { return m.Get(m.field(name)).String() }

func (m message) bytes(name string) []byte { return m.Get(m.field(name)).Bytes() }

func (m message) bool(name string) bool { return m.Get(m.field(name)).Bool() }

func (m message) number(name string) int64 {
	value := m.Get(m.field(name))
	if number, unsigned := value.Interface().(uint32); unsigned {
		return int64(number)
	}
	return value.Int()
}

// child is a message field, empty and immutable where it is not set.
func (m message) child(name string) message {
	child, _ := m.Get(m.field(name)).Message().Interface().(*dynamicpb.Message)
	return message{child}
}

func (m message) list(name string) protoreflect.List { return m.Get(m.field(name)).List() }

// set takes the Go type of the field's kind.
func (m message) set(name string, value any) { m.Set(m.field(name), protoreflect.ValueOf(value)) }

// copyFrom copies a message field of the same name, where it is set.
func (m message) copyFrom(other message, name string) {
	if other.has(name) {
		m.Set(m.field(name), other.Get(other.field(name)))
	}
}

func (m message) clear(name string) { m.Clear(m.field(name)) }

// clone is an independent copy.
func (m message) clone() message {
	copied, _ := proto.Clone(m.Message).(*dynamicpb.Message)
	return message{copied}
}
