// As much protobuf as the clients need to speak grpcws.test.v1 in binary frames, without a library of ours.

// Fields of crates/grpcws-test/proto/grpcws/test/v1/test.proto by their JSON name: number, type, and a question mark
// for those that tell a default from an absent value.
const messages = {
  Any: { typeUrl: [1, "string"], value: [2, "bytes"] },
  Failure: { code: [1, "int"], message: [2, "string"], details: [3, "Any[]"], after: [4, "int64"] },
  MetadataValues: { values: [1, "string[]"] },
  Script: {
    tag: [1, "string"],
    speakFirst: [2, "int64"],
    replies: [3, "int"],
    size: [4, "int"],
    firstSequence: [6, "int64"],
    ignoreInput: [8, "bool"],
    holdOpenMs: [11, "int64"],
    fail: [12, "Failure"],
    echoMetadata: [13, "int[]"],
    responseHeaders: [14, "map"],
    responseTrailers: [15, "map"],
  },
  Entry: { key: [1, "string"], value: [2, "MetadataValues"] },
  BidiRequest: { sequence: [1, "int64"], payload: [2, "bytes"], script: [4, "Script"] },
  BidiResponse: {
    sequence: [1, "int64"],
    payload: [2, "bytes"],
    requestSequence: [3, "int64?"],
    received: [4, "int64"],
    gaps: [5, "int64"],
    metadata: [6, "map"],
  },
  ClientStreamRequest: { sequence: [1, "int64"], payload: [2, "bytes"], script: [4, "Script"] },
  ClientStreamResponse: {
    messages: [1, "int64"],
    bytes: [2, "int64"],
    firstSequence: [3, "int64"],
    lastSequence: [4, "int64"],
    inOrder: [5, "bool"],
    gaps: [6, "int64"],
    payload: [7, "bytes"],
  },
  ServerStreamRequest: {
    count: [1, "int64"],
    size: [2, "int"],
    firstSequence: [4, "int64"],
    holdOpenMs: [6, "int64"],
    fail: [7, "Failure"],
    echoMetadata: [8, "int[]"],
    responseHeaders: [9, "map"],
    responseTrailers: [10, "map"],
    tag: [13, "string"],
  },
  ServerStreamResponse: { sequence: [1, "int64"], payload: [2, "bytes"], metadata: [4, "map"] },
  UnaryRequest: {
    tag: [1, "string"],
    size: [2, "int"],
    initialDelayMs: [3, "int"],
    fail: [4, "Failure"],
    echoMetadata: [5, "int[]"],
    responseHeaders: [6, "map"],
    responseTrailers: [7, "map"],
    sequence: [8, "int64"],
    payload: [9, "bytes"],
  },
  UnaryResponse: { sequence: [1, "int64"], payload: [2, "bytes"], metadata: [3, "map"] },
};

function varint(number) {
  let rest = BigInt.asUintN(64, BigInt(number));
  const bytes = [];
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Buffer.from(bytes);
}

const delimited = (number, bytes) => Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);

function encodeField(number, type, value) {
  if (type.endsWith("[]")) {
    return Buffer.concat(value.map((element) => encodeField(number, type.slice(0, -2), element)));
  }
  switch (type) {
    case "int":
    case "int64":
    case "int64?":
      return Buffer.concat([varint(number << 3), varint(value)]);
    case "bool":
      return Buffer.concat([varint(number << 3), varint(value ? 1 : 0)]);
    case "string":
      return delimited(number, Buffer.from(value, "utf8"));
    case "bytes":
      return delimited(number, Buffer.from(value, "base64"));
    case "map": {
      const entries = Object.entries(value).map(([key, entry]) => ({ key, value: entry }));
      return encodeField(number, "Entry[]", entries);
    }
    default:
      return delimited(number, encode(type, value));
  }
}

/** The wire form of a message given in protojson. */
export function encode(message, value) {
  const parts = Object.entries(value).map(([name, field]) => {
    const known = messages[message][name];
    if (known === undefined) throw new Error(`wire.mjs does not know ${message}.${name}`);
    return encodeField(known[0], known[1], field);
  });
  return Buffer.concat(parts);
}

/** The protojson form of a message, with defaults left out. */
export function decode(message, bytes) {
  const fields = Object.entries(messages[message]);
  const value = {};
  let at = 0;
  const readVarint = () => {
    let number = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error("cut off in a varint");
      number |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return number;
    }
  };
  while (at < bytes.length) {
    const tag = Number(readVarint());
    const found = fields.find(([, [number]]) => number === tag >> 3);
    if (found === undefined) throw new Error(`wire.mjs does not know field ${tag >> 3} of ${message}`);
    const [name, [, type]] = found;
    if ((tag & 7) === 0) {
      const number = BigInt.asIntN(64, readVarint());
      // Some servers write defaults, which protojson leaves out.
      if (number === 0n && !type.endsWith("?")) continue;
      value[name] = type === "bool" ? number === 1n : type.startsWith("int64") ? number.toString() : Number(number);
      continue;
    }
    const length = Number(readVarint());
    const content = bytes.subarray(at, at + length);
    at += length;
    if (length === 0 && ["bytes", "string"].includes(type)) continue;
    if (type === "bytes") value[name] = content.toString("base64");
    else if (type === "string") value[name] = content.toString("utf8");
    else if (type === "string[]") (value[name] ??= []).push(content.toString("utf8"));
    else if (type === "map") {
      const entry = decode("Entry", content);
      (value[name] ??= {})[entry.key] = entry.value;
    } else value[name] = decode(type, content);
  }
  return value;
}
