// Command generate writes the Go code of the benchmark's proto, without protoc.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

const file = "grpcws/bench/v1/bench.proto"

// plugins are tools of this module, with their parameters.
var plugins = [][2]string{
	{"protoc-gen-go", "module=grpcws.bench/peers"},
	{"protoc-gen-go-grpc", "module=grpcws.bench/peers"},
	{"protoc-gen-grpc-gateway", "module=grpcws.bench/peers,generate_unbound_methods=true"},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{"../../proto"}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), file)
	if err != nil {
		return err
	}
	var descriptors []*descriptorpb.FileDescriptorProto
	imports := files[0].Imports()
	for i := range imports.Len() {
		descriptors = append(descriptors, protoutil.ProtoFromFileDescriptor(imports.Get(i).FileDescriptor))
	}
	descriptors = append(descriptors, protoutil.ProtoFromFileDescriptor(files[0].(protoreflect.FileDescriptor)))
	for _, plugin := range plugins {
		if err := generate(plugin[0], plugin[1], descriptors); err != nil {
			return fmt.Errorf("%s: %w", plugin[0], err)
		}
	}
	return nil
}

func generate(plugin, parameter string, descriptors []*descriptorpb.FileDescriptorProto) error {
	request, err := proto.Marshal(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{file},
		Parameter:      &parameter,
		ProtoFile:      descriptors,
	})
	if err != nil {
		return err
	}
	command := exec.Command("go", "tool", plugin)
	command.Stdin, command.Stderr = bytes.NewReader(request), os.Stderr
	output, err := command.Output()
	if err != nil {
		return err
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(output, &response); err != nil {
		return err
	}
	if response.Error != nil {
		return fmt.Errorf("%s", response.GetError())
	}
	for _, generated := range response.File {
		if err := os.MkdirAll(filepath.Dir(generated.GetName()), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(generated.GetName(), []byte(generated.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
