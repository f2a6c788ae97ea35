import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.MethodDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Message;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;

/** One RPC. It runs in a thread of its own, which is interrupted when the call is cancelled. */
final class Call {
  private static final ExecutorService THREADS = Executors.newCachedThreadPool();

  final MethodDescriptor method;
  // The numbers of messages so far.
  long received;
  long sent;

  private final ServerCall<DynamicMessage, DynamicMessage> call;
  private final Metadata metadata;
  private final Stats stats;
  /** The requests that have come and were not read; an empty one is their end. */
  private final BlockingQueue<Optional<DynamicMessage>> requests = new LinkedBlockingQueue<>();

  private final Object ready = new Object();
  private boolean headersAreSent;
  private String tag = "";

  Call(
      ServerCall<DynamicMessage, DynamicMessage> call, Metadata metadata, MethodDescriptor method, Stats stats) {
    this.call = call;
    this.metadata = metadata;
    this.method = method;
    this.stats = stats;
  }

  /** Starts the thread, and hears what comes of the call. */
  ServerCall.Listener<DynamicMessage> start() {
    Future<?> running = THREADS.submit(Context.current().wrap(this::run));
    return new ServerCall.Listener<>() {
      @Override
      public void onMessage(DynamicMessage message) {
        requests.add(Optional.of(message));
      }

      @Override
      public void onHalfClose() {
        requests.add(Optional.empty());
      }

      @Override
      public void onReady() {
        synchronized (ready) {
          ready.notifyAll();
        }
      }

      @Override
      public void onCancel() {
        running.cancel(true);
      }
    };
  }

  private void run() {
    if (method.getName().equals("Stats")) {
      end(this::answerStats);
      return;
    }
    stats.add(tag, Stats.State.LIVE, 1);
    Stats.State end = end(() -> Methods.run(this));
    stats.add(tag, Stats.State.LIVE, -1);
    stats.add(tag, end, 1);
  }

  /** What a method does, and the answer that it ends with. */
  interface Behaviour {
    Answer run() throws Exception;
  }

  private Stats.State end(Behaviour behaviour) {
    Status status;
    Metadata trailers = new Metadata();
    try {
      Answer answer = behaviour.run();
      status = answer == null || answer.failure == null ? Status.OK : answer.failure;
      trailers = answer == null ? trailers : answer.trailers;
    } catch (InterruptedException cancelled) {
      return Stats.State.CANCELLED;
    } catch (Exception error) {
      status = Status.fromThrowable(error);
    }
    if (call.isCancelled()) {
      return Stats.State.CANCELLED;
    }
    if (status.isOk()) {
      sendHeaders(new Metadata());
    }
    call.close(status, trailers);
    return status.isOk() ? Stats.State.COMPLETED : Stats.State.FAILED;
  }

  private Answer answerStats() throws InterruptedException {
    Message request = read();
    Message.Builder response = response();
    stats.read(Fields.text(request, "tag"), response);
    write(response);
    return null;
  }

  /** The next request, or null at their end. */
  DynamicMessage read() throws InterruptedException {
    call.request(1);
    DynamicMessage request = requests.take().orElse(null);
    if (request == null) {
      requests.add(Optional.empty());
    } else {
      received += 1;
    }
    return request;
  }

  Message.Builder response() {
    return DynamicMessage.newBuilder(method.getOutputType());
  }

  /** Sends a response when the client takes it. */
  void write(Message.Builder response) throws InterruptedException {
    sendHeaders(new Metadata());
    synchronized (ready) {
      while (!call.isReady()) {
        if (call.isCancelled()) {
          throw new InterruptedException();
        }
        ready.wait(100);
      }
    }
    call.sendMessage((DynamicMessage) response.build());
    sent += 1;
  }

  private void sendHeaders(Metadata headers) {
    if (!headersAreSent) {
      headersAreSent = true;
      call.sendHeaders(headers);
    }
  }

  /** Waits as asked, and sends the headers that were asked for. */
  Answer begin(Message knobs) throws Exception {
    String name = Fields.text(knobs, "tag");
    stats.add(tag, Stats.State.LIVE, -1);
    stats.add(name, Stats.State.LIVE, 1);
    tag = name;
    sleep(Fields.number(knobs, "initial_delay_ms"));
    Answer answer = new Answer(knobs, metadata);
    if (!answer.headers.keys().isEmpty()) {
      sendHeaders(answer.headers);
    }
    return answer;
  }

  /** Waits for that many milliseconds, for ever where they are negative, or until the caller gives up. */
  void sleep(long milliseconds) throws InterruptedException {
    Thread.sleep(milliseconds < 0 ? Long.MAX_VALUE : milliseconds);
  }

  /** The script of the metadata, or null. */
  ByteString scriptOfMetadata() {
    byte[] encoded = metadata.get(Metadata.Key.of("test-script-bin", Metadata.BINARY_BYTE_MARSHALLER));
    return encoded == null ? null : ByteString.copyFrom(encoded);
  }
}
