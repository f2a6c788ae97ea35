import com.google.protobuf.Message;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** Counts calls, all of them and by their tags. */
final class Stats {
  /** How a call ended: the name of a counter in StatsResponse, in capitals. */
  enum State {
    LIVE,
    COMPLETED,
    FAILED,
    CANCELLED
  }

  private final Map<String, Map<State, Long>> counts = new HashMap<>();

  synchronized void add(String tag, State state, long difference) {
    counts.computeIfAbsent(tag, name -> new EnumMap<>(State.class)).merge(state, difference, Long::sum);
  }

  /** Writes the counters of a tag, or of all where it is empty, into a StatsResponse. */
  synchronized void read(String tag, Message.Builder response) {
    long started = 0;
    for (State state : State.values()) {
      long sum = 0;
      for (Map.Entry<String, Map<State, Long>> entry : counts.entrySet()) {
        if (tag.isEmpty() || tag.equals(entry.getKey())) {
          sum += entry.getValue().getOrDefault(state, 0L);
        }
      }
      started += sum;
      Fields.set(response, state.name().toLowerCase(Locale.ROOT), sum);
    }
    Fields.set(response, "started", started);
  }
}
