import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import com.google.protobuf.MessageOrBuilder;
import java.util.List;

/** The fields of messages by the names in the proto. A wrong name is a NullPointerException. */
final class Fields {
  private Fields() {}

  static FieldDescriptor field(MessageOrBuilder message, String name) {
    return message.getDescriptorForType().findFieldByName(name);
  }

  static boolean has(MessageOrBuilder message, String name) {
    return message.hasField(field(message, name));
  }

  static String text(MessageOrBuilder message, String name) {
    return (String) message.getField(field(message, name));
  }

  static ByteString bytes(MessageOrBuilder message, String name) {
    return (ByteString) message.getField(field(message, name));
  }

  static boolean flag(MessageOrBuilder message, String name) {
    return (Boolean) message.getField(field(message, name));
  }

  static long number(MessageOrBuilder message, String name) {
    return ((Number) message.getField(field(message, name))).longValue();
  }

  /** A message field, empty where it is not set. */
  static Message child(MessageOrBuilder message, String name) {
    return (Message) message.getField(field(message, name));
  }

  @SuppressWarnings("unchecked")
  static List<Message> children(MessageOrBuilder message, String name) {
    return (List<Message>) message.getField(field(message, name));
  }

  @SuppressWarnings("unchecked")
  static List<EnumValueDescriptor> enums(MessageOrBuilder message, String name) {
    return (List<EnumValueDescriptor>) message.getField(field(message, name));
  }

  @SuppressWarnings("unchecked")
  static List<String> texts(MessageOrBuilder message, String name) {
    return (List<String>) message.getField(field(message, name));
  }

  /** Sets a field to a value of the Java type of its kind. */
  static void set(Message.Builder message, String name, Object value) {
    message.setField(field(message, name), value);
  }

  /** Copies a field of the same name, where it is set. */
  static void copy(MessageOrBuilder from, Message.Builder to, String name) {
    if (has(from, name)) {
      set(to, name, from.getField(field(from, name)));
    }
  }
}
