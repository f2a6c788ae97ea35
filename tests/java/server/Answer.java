import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/** Everything in a response that is not a message. */
final class Answer {
  // The values of EchoMetadata.
  private static final int ECHO_HEADERS = 1;
  private static final int ECHO_TRAILERS = 2;
  private static final int ECHO_MESSAGE = 3;

  final Metadata headers = new Metadata();
  final Metadata trailers = new Metadata();
  /** The number of messages after which the call fails. */
  final long limit;
  /** The status to end with, or null for OK. */
  final io.grpc.Status failure;

  /** The metadata for the first message. */
  private Map<String, List<Object>> echoed;

  /** Reads the knobs that every method has. */
  Answer(Message knobs, Metadata received) throws InvalidProtocolBufferException {
    addAll(headers, knobs, "response_headers");
    addAll(trailers, knobs, "response_trailers");
    for (EnumValueDescriptor place : Fields.enums(knobs, "echo_metadata")) {
      switch (place.getNumber()) {
        case ECHO_HEADERS -> echo(headers, received);
        case ECHO_TRAILERS -> echo(trailers, received);
        case ECHO_MESSAGE -> echoed = pairs(received);
        default -> {}
      }
    }
    if (!Fields.has(knobs, "fail")) {
      limit = Long.MAX_VALUE;
      failure = null;
      return;
    }
    Message asked = Fields.child(knobs, "fail");
    limit = Math.max(Fields.number(asked, "after"), 0);
    // google.rpc.Status has the fields of Failure under the same numbers, without `after`.
    Message status = asked.toBuilder().clearField(Fields.field(asked, "after")).build();
    StatusRuntimeException error =
        StatusProto.toStatusRuntimeException(com.google.rpc.Status.parseFrom(status.toByteString()));
    failure = error.getStatus();
    if (!Fields.children(asked, "details").isEmpty()) {
      trailers.merge(error.getTrailers());
    }
  }

  /** Writes the metadata of the request into the first response. */
  void fill(Message.Builder response) {
    if (echoed == null) {
      return;
    }
    var field = Fields.field(response, "metadata");
    echoed.forEach(
        (name, values) -> {
          Message.Builder entry = response.newBuilderForField(field);
          Fields.set(entry, "key", name);
          Message.Builder list = entry.newBuilderForField(Fields.field(entry, "value"));
          for (Object value : values) {
            list.addRepeatedField(Fields.field(list, "values"), value instanceof byte[] bytes ? encode(bytes) : value);
          }
          Fields.set(entry, "value", list.build());
          response.addRepeatedField(field, entry.build());
        });
    echoed = null;
  }

  private static String encode(byte[] bytes) {
    return Base64.getEncoder().withoutPadding().encodeToString(bytes);
  }

  /** The metadata of the request as it stood in the headers: texts, and bytes under names that end in -bin. */
  private static Map<String, List<Object>> pairs(Metadata received) {
    Map<String, List<Object>> pairs = new TreeMap<>();
    for (String name : received.keys()) {
      List<Object> values = new ArrayList<>();
      received.getAll(key(name)).forEach(values::add);
      pairs.put(name, values);
    }
    Deadline deadline = Context.current().getDeadline();
    if (deadline != null) {
      // What is left of it says the same as the header, which not every version keeps.
      pairs.put("grpc-timeout", List.of(Math.max(deadline.timeRemaining(TimeUnit.MILLISECONDS), 0) + "m"));
    }
    return pairs;
  }

  /** Adds the metadata of the request under names that may be sent back. */
  private static void echo(Metadata to, Metadata received) {
    pairs(received).forEach((name, values) -> values.forEach(value -> to.put(key("echo-" + name), value)));
  }

  /** Adds a map from names to MetadataValues. */
  private static void addAll(Metadata to, Message knobs, String field) {
    for (Message entry : Fields.children(knobs, field)) {
      String name = Fields.text(entry, "key");
      for (String value : Fields.texts(Fields.child(entry, "value"), "values")) {
        to.put(key(name), name.endsWith(Metadata.BINARY_HEADER_SUFFIX) ? Base64.getDecoder().decode(value) : value);
      }
    }
  }

  @SuppressWarnings("unchecked")
  private static Metadata.Key<Object> key(String name) {
    Metadata.Key<?> key =
        name.endsWith(Metadata.BINARY_HEADER_SUFFIX)
            ? Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER)
            : Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
    return (Metadata.Key<Object>) key;
  }
}
