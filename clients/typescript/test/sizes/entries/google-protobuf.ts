// What protoc's own JavaScript generator makes of counter.proto, written by hand: its program cannot be had from npm.
import jspb from "google-protobuf";
import { GrpcWebClientBase, MethodDescriptor, MethodType } from "grpc-web";

class WatchRequest extends jspb.Message {
  constructor(data?: unknown[]) {
    super();
    jspb.Message.initialize(this, data ?? [], 0, -1, null, null);
  }
  setRoom(value: string) {
    return jspb.Message.setProto3StringField(this, 1, value);
  }
  serializeBinary(): Uint8Array {
    const writer = new jspb.BinaryWriter();
    const room = jspb.Message.getFieldWithDefault(this, 1, "") as string;
    if (room.length > 0) writer.writeString(1, room);
    return writer.getResultBuffer();
  }
}

class WatchResponse extends jspb.Message {
  constructor(data?: unknown[]) {
    super();
    jspb.Message.initialize(this, data ?? [], 0, -1, null, null);
  }
  static deserializeBinary(bytes: Uint8Array): WatchResponse {
    const message = new WatchResponse();
    const reader = new jspb.BinaryReader(bytes);
    while (reader.nextField() && !reader.isEndGroup()) {
      if (reader.getFieldNumber() === 1) jspb.Message.setProto3IntField(message, 1, reader.readInt32());
      else if (reader.getFieldNumber() === 2) jspb.Message.setProto3StringField(message, 2, reader.readString());
      else reader.skipField();
    }
    return message;
  }
  getCount(): number {
    return jspb.Message.getFieldWithDefault(this, 1, 0) as number;
  }
}

const watch = new MethodDescriptor(
  "/example.v1.Counter/Watch", MethodType.SERVER_STREAMING, WatchRequest as never, WatchResponse as never,
  (request: WatchRequest) => request.serializeBinary(), WatchResponse.deserializeBinary as never,
);
const client = new GrpcWebClientBase({ format: "text" });
const request = new WatchRequest();
request.setRoom("blue");
client.serverStreaming("https://a/example.v1.Counter/Watch", request as never, {}, watch as never).on("data", (response) => console.log((response as unknown as WatchResponse).getCount()));
