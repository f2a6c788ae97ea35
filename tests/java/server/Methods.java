import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Message;

/** What the methods do. */
final class Methods {
  private Methods() {}

  static Answer run(Call call) throws Exception {
    return switch (call.method.getName()) {
      case "Unary" -> unary(call);
      case "ServerStream" -> serverStream(call);
      case "ClientStream" -> clientStream(call);
      default -> bidi(call);
    };
  }

  private static Answer unary(Call call) throws Exception {
    Message request = call.read();
    Answer answer = call.begin(request);
    if (answer.failure != null) {
      return answer;
    }
    Message.Builder response = call.response();
    long size = Fields.number(request, "size");
    Fields.set(response, "sequence", Fields.number(request, "sequence"));
    Fields.set(response, "payload", size > 0 ? payload(size) : Fields.bytes(request, "payload"));
    Fields.copy(request, response, "values");
    answer.fill(response);
    call.write(response);
    return answer;
  }

  private static Answer serverStream(Call call) throws Exception {
    Message request = call.read();
    Answer answer = call.begin(request);
    ByteString bytes = payload(Fields.number(request, "size"));
    while (call.sent < Math.min(Fields.number(request, "count"), answer.limit)) {
      Message.Builder response = call.response();
      Fields.set(response, "sequence", Fields.number(request, "first_sequence") + call.sent);
      Fields.set(response, "payload", bytes);
      if (call.sent == 0) {
        Fields.copy(request, response, "values");
        answer.fill(response);
      }
      call.write(response);
    }
    call.sleep(Fields.number(request, "hold_open_ms"));
    return answer;
  }

  private static Answer clientStream(Call call) throws Exception {
    Script script = new Script(call);
    Answer answer = call.begin(script.knobs);
    Message.Builder response = call.response();
    Sequence sequence = new Sequence();
    long bytes = 0;
    for (Message request = script.first; ; ) {
      if (request != null) {
        sequence.enter(Fields.number(request, "sequence"));
        bytes += Fields.bytes(request, "payload").size();
        Fields.copy(request, response, "values");
      }
      if (Fields.flag(script.knobs, "ignore_input") || call.received >= answer.limit) {
        break;
      }
      request = call.read();
      if (request == null) {
        break;
      }
    }
    call.sleep(Fields.number(script.knobs, "hold_open_ms"));
    if (answer.failure != null) {
      return answer;
    }
    answer.fill(response);
    Fields.set(response, "messages", call.received);
    Fields.set(response, "bytes", bytes);
    Fields.set(response, "first_sequence", sequence.first);
    Fields.set(response, "last_sequence", sequence.last);
    Fields.set(response, "gaps", sequence.gaps);
    Fields.set(response, "in_order", sequence.gaps == 0);
    Fields.set(response, "payload", payload(Fields.number(script.knobs, "size")));
    call.write(response);
    return answer;
  }

  private static Answer bidi(Call call) throws Exception {
    Script script = new Script(call);
    Answer answer = call.begin(script.knobs);
    Sequence sequence = new Sequence();
    long replies = Fields.has(script.knobs, "replies") ? Fields.number(script.knobs, "replies") : 1;
    for (long spoken = 0; spoken < Fields.number(script.knobs, "speak_first"); spoken++) {
      reply(call, script, answer, sequence, null);
    }
    Message request = script.first;
    while (call.sent < answer.limit) {
      if (request != null) {
        sequence.enter(Fields.number(request, "sequence"));
        for (long reply = 0; reply < replies; reply++) {
          reply(call, script, answer, sequence, request);
        }
      }
      if (Fields.flag(script.knobs, "ignore_input") || call.sent >= answer.limit) {
        break;
      }
      request = call.read();
      if (request == null) {
        break;
      }
    }
    call.sleep(Fields.number(script.knobs, "hold_open_ms"));
    return answer;
  }

  /** Answers a request, or speaks first where there is none. */
  private static void reply(Call call, Script script, Answer answer, Sequence sequence, Message request)
      throws InterruptedException {
    if (call.sent >= answer.limit) {
      return;
    }
    long size = Fields.number(script.knobs, "size");
    Message.Builder response = call.response();
    Fields.set(response, "sequence", Fields.number(script.knobs, "first_sequence") + call.sent);
    Fields.set(response, "received", call.received);
    Fields.set(response, "gaps", sequence.gaps);
    Fields.set(response, "payload", payload(size));
    if (request != null) {
      Fields.set(response, "request_sequence", Fields.number(request, "sequence"));
      Fields.copy(request, response, "values");
      if (size == 0) {
        Fields.set(response, "payload", Fields.bytes(request, "payload"));
      }
    }
    answer.fill(response);
    call.write(response);
  }

  /** The script of the metadata, or else that of the first request, which then comes with it. */
  private static final class Script {
    final Message knobs;
    /** The request that was read for it, or null. */
    final Message first;

    Script(Call call) throws Exception {
      Descriptor type = call.method.getInputType().findFieldByName("script").getMessageType();
      ByteString encoded = call.scriptOfMetadata();
      first = encoded == null ? call.read() : null;
      if (encoded != null) {
        knobs = DynamicMessage.parseFrom(type, encoded);
      } else {
        knobs = first == null ? DynamicMessage.getDefaultInstance(type) : Fields.child(first, "script");
      }
    }
  }

  /** Follows the sequence numbers of the requests. */
  private static final class Sequence {
    long first;
    long last;
    long gaps;
    private boolean begun;

    void enter(long number) {
      if (!begun) {
        first = number;
        begun = true;
      } else if (number != last + 1) {
        gaps += 1;
      }
      last = number;
    }
  }

  /** So many bytes in the pattern of the Rust service: byte i is i % 251. */
  static ByteString payload(long size) {
    byte[] bytes = new byte[(int) size];
    for (int index = 0; index < bytes.length; index++) {
      bytes[index] = (byte) (index % 251);
    }
    return ByteString.copyFrom(bytes);
  }
}
