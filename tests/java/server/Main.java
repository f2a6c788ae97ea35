import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.MethodDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import com.google.protobuf.DynamicMessage;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.ProtoFileDescriptorSupplier;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * The test service grpcws.test.v1 on grpc-java: a gRPC server that is not ours.
 *
 * <pre>java Main --listen 127.0.0.1:0 --descriptor-set test.binpb [--max-connection-age-ms N]</pre>
 *
 * <p>It prints {@code listening grpc://ADDR} once it serves. The descriptor set is made of the Rust service's own proto, whose
 * comments say what each knob does. Here are the knobs that the suite tests/node/bridge.mjs turns: a script comes in {@code
 * test-script-bin} or in the first message, there is no pace, and Stats counts calls without listing them. Messages are known
 * by their descriptors: nothing is generated.
 */
final class Main {
  private static final Metadata.Key<String> CONNECTION =
      Metadata.Key.of("x-connection", Metadata.ASCII_STRING_MARSHALLER);

  private Main() {}

  public static void main(String[] arguments) throws Exception {
    Map<String, String> options = new HashMap<>(Map.of("--listen", "127.0.0.1:50051"));
    for (int index = 0; index + 1 < arguments.length; index += 2) {
      options.put(arguments[index], arguments[index + 1]);
    }
    String listen = options.get("--listen");
    int colon = listen.lastIndexOf(':');
    String host = listen.substring(0, colon);
    int port = Integer.parseInt(listen.substring(colon + 1));
    ServiceDescriptor service = read(Path.of(options.get("--descriptor-set")));
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(new InetSocketAddress(host, port))
            .addService(definition(service))
            .addService(ProtoReflectionServiceV1.newInstance());
    String age = options.get("--max-connection-age-ms");
    if (age != null) {
      builder.maxConnectionAge(Long.parseLong(age), TimeUnit.MILLISECONDS).intercept(Main::nameConnection);
    }
    Server server = builder.build().start();
    System.out.println("listening grpc://" + host + ":" + server.getPort());
    server.awaitTermination();
  }

  /** Says in the response headers by which connection a call came. */
  private static <A, B> ServerCall.Listener<A> nameConnection(
      ServerCall<A, B> call, Metadata metadata, ServerCallHandler<A, B> next) {
    ServerCall<A, B> named =
        new SimpleForwardingServerCall<>(call) {
          @Override
          public void sendHeaders(Metadata headers) {
            headers.put(CONNECTION, String.valueOf(getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR)));
            super.sendHeaders(headers);
          }
        };
    return next.startCall(named, metadata);
  }

  private static ServiceDescriptor read(Path path) throws Exception {
    Map<String, FileDescriptor> files = new HashMap<>();
    FileDescriptor last = null;
    // Every file stands behind its imports.
    for (FileDescriptorProto file : FileDescriptorSet.parseFrom(Files.readAllBytes(path)).getFileList()) {
      List<FileDescriptor> imports = new ArrayList<>();
      file.getDependencyList().forEach(name -> imports.add(files.get(name)));
      last = FileDescriptor.buildFrom(file, imports.toArray(new FileDescriptor[0]));
      files.put(file.getName(), last);
    }
    return last.findServiceByName("TestService");
  }

  private static ServerServiceDefinition definition(ServiceDescriptor service) {
    Stats stats = new Stats();
    // Reflection reads the file of it.
    ProtoFileDescriptorSupplier schema = service::getFile;
    io.grpc.ServiceDescriptor.Builder description =
        io.grpc.ServiceDescriptor.newBuilder(service.getFullName()).setSchemaDescriptor(schema);
    Map<io.grpc.MethodDescriptor<DynamicMessage, DynamicMessage>, MethodDescriptor> methods = new HashMap<>();
    for (MethodDescriptor method : service.getMethods()) {
      io.grpc.MethodDescriptor<DynamicMessage, DynamicMessage> described =
          io.grpc.MethodDescriptor.<DynamicMessage, DynamicMessage>newBuilder()
              .setType(type(method))
              .setFullMethodName(
                  io.grpc.MethodDescriptor.generateFullMethodName(service.getFullName(), method.getName()))
              .setRequestMarshaller(
                  ProtoUtils.marshaller(DynamicMessage.getDefaultInstance(method.getInputType())))
              .setResponseMarshaller(
                  ProtoUtils.marshaller(DynamicMessage.getDefaultInstance(method.getOutputType())))
              .build();
      description.addMethod(described);
      methods.put(described, method);
    }
    ServerServiceDefinition.Builder definition = ServerServiceDefinition.builder(description.build());
    methods.forEach(
        (described, method) ->
            definition.addMethod(
                described, (call, headers) -> new Call(call, headers, method, stats).start()));
    return definition.build();
  }

  private static MethodType type(MethodDescriptor method) {
    if (method.isClientStreaming()) {
      return method.isServerStreaming() ? MethodType.BIDI_STREAMING : MethodType.CLIENT_STREAMING;
    }
    return method.isServerStreaming() ? MethodType.SERVER_STREAMING : MethodType.UNARY;
  }
}
