"""What grpcws-json makes of random messages, beside what protobuf's own Python package makes of them.

    random_messages SCHEMAS MESSAGES [SEED] | python protojson.py [--progress]

Reads what `crates/grpcws-json/examples/random_messages` writes. For each message the JSON has to be the same value as
that of `google.protobuf.json_format`, and the wire bytes of that JSON the same message: both are parsed and encoded
again, deterministically. What one of them refuses, the other has to refuse as well.
"""

import argparse
import json
import struct
import sys
import time

from google.protobuf import (
    any_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    json_format,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)

IMPORTS = (any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
PROTO_NAMES, ENUM_NUMBERS, DEFAULT_VALUES = 1, 2, 4
REFUSED = b"\xff"
SHOWN = 10
LONGEST = 400
SMALLEST_NORMAL_FLOAT = 2.0**-126


def read(size):
    data = sys.stdin.buffer.read(size)
    if len(data) < size:
        raise EOFError
    return data


def read_bytes():
    return read(struct.unpack("<I", read(4))[0])


def first_difference(expected, found):
    """Where two JSON values differ, or nothing."""
    if isinstance(expected, dict) and isinstance(found, dict):
        # The Python package lists a repeated extension of which no value is known to its enum.
        expected = {
            key: value for key, value in expected.items() if value != [] or key in found or key[0] != "["
        }
        if expected.keys() != found.keys():
            return f"members {sorted(expected)}, found {sorted(found)}"
        places = ((key, first_difference(value, found[key])) for key, value in expected.items())
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return f"expected {len(expected)} elements, found {len(found)}"
        pairs = enumerate(zip(expected, found, strict=True))
        places = ((index, first_difference(*pair)) for index, pair in pairs)
    elif is_number(expected) and is_number(found):
        # The Python package prints at least six digits, and the smallest floats do not have as many.
        same = expected == found or 0 < abs(expected) < SMALLEST_NORMAL_FLOAT and as_float(expected) == as_float(found)
        return None if same else f"expected {expected!r}, found {found!r}"
    else:
        same = type(expected) is type(found) and expected == found
        return None if same else f"expected {expected!r}, found {found!r}"
    return next((f"{key}: {place}" for key, place in places if place is not None), None)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def as_float(value):
    return struct.pack("<f", value)


class Schema:
    """A file of its own pool, and its first message type."""

    def __init__(self, file, name):
        self.pool = descriptor_pool.DescriptorPool()
        for imported in IMPORTS:
            self.pool.AddSerializedFile(imported.DESCRIPTOR.serialized_pb)
        self.pool.AddSerializedFile(file)
        self.message = message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))

    def to_json(self, wire, variant):
        return json_format.MessageToDict(
            self.message.FromString(wire),
            preserving_proto_field_name=bool(variant & PROTO_NAMES),
            use_integers_for_enums=bool(variant & ENUM_NUMBERS),
            always_print_fields_with_no_presence=bool(variant & DEFAULT_VALUES),
            descriptor_pool=self.pool,
        )

    def from_json(self, text):
        parsed = json_format.Parse(text, self.message(), descriptor_pool=self.pool)
        return parsed.SerializePartialToString(deterministic=True)

    def canonical(self, wire):
        return self.message.FromString(wire).SerializePartialToString(deterministic=True)

    def difference(self, variant, wire, text, back):
        """What differs, or nothing."""
        try:
            expected = self.to_json(wire, variant)
        except (json_format.Error, ValueError, TypeError, OverflowError) as error:
            return None if text.startswith(REFUSED) else f"only Python refuses: {error!r}"
        if text.startswith(REFUSED):
            return f"only grpcws-json refuses: {text[1:].decode()}"
        place = first_difference(expected, json.loads(text))
        if place is not None:
            return f"JSON differs: {place}"
        try:
            expected = self.from_json(text)
        except (json_format.Error, ValueError, TypeError) as error:
            return None if back.startswith(REFUSED) else f"only Python refuses the JSON: {error!r}"
        if back.startswith(REFUSED):
            return f"only grpcws-json refuses the JSON: {back[1:].decode()}"
        if self.canonical(back) != expected and not self.same(expected, back):
            return f"wire bytes differ: expected {expected.hex()}, found {back.hex()}"
        return None

    def same(self, one, other):
        """Whether two encodings are the same message; deterministic encoding does not sort extensions."""
        return self.same_messages(self.message.FromString(one), self.message.FromString(other))

    def same_messages(self, one, other):
        is_any = one.DESCRIPTOR.full_name == "google.protobuf.Any"
        if is_any and one.type_url and one.type_url == other.type_url:
            inner = self.pool.FindMessageTypeByName(one.type_url.rpartition("/")[2])
            inner = message_factory.GetMessageClass(inner)
            return self.same_messages(inner.FromString(one.value), inner.FromString(other.value))
        fields, others = one.ListFields(), other.ListFields()
        return [field for field, _ in fields] == [field for field, _ in others] and all(
            self.same_values(field, value, found)
            for (field, value), (_, found) in zip(fields, others, strict=True)
        )

    def same_values(self, field, value, other):
        if field.message_type and field.message_type.GetOptions().map_entry:
            inner = field.message_type.fields_by_name["value"]
            return value.keys() == other.keys() and all(
                self.same_value(inner, value[key], other[key]) for key in value
            )
        if field.is_repeated:
            return len(value) == len(other) and all(
                self.same_value(field, *pair) for pair in zip(value, other, strict=True)
            )
        return self.same_value(field, value, other)

    def same_value(self, field, value, other):
        if field.message_type:
            return self.same_messages(value, other)
        if isinstance(value, float):
            return struct.pack("<d", value) == struct.pack("<d", other)
        return value == other


def records():
    """Schema by schema, message by message."""
    while True:
        head = sys.stdin.buffer.read(1)
        if not head:
            return
        if head == b"S":
            yield "schema", read_bytes(), read_bytes()
        else:
            yield "message", read(1)[0], read_bytes(), read_bytes(), read_bytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--progress", action="store_true", help="print a line for every fifty schemas")
    arguments = parser.parse_args()
    started = time.monotonic()
    schemas = passed = failed = refused = 0
    schema = None
    for kind, *record in records():
        if kind == "schema":
            schema = Schema(record[0], record[1].decode())
            schemas += 1
            if arguments.progress and schemas % 50 == 0:
                seconds = time.monotonic() - started
                print(f"schema {schemas}: {passed} same, {failed} different, {seconds:.0f} s", flush=True)
            continue
        difference = schema.difference(*record)
        refused += record[2].startswith(REFUSED)
        if difference is None:
            passed += 1
            continue
        failed += 1
        if failed <= SHOWN:
            variant, wire, text, _ = record
            print(f"schema {schemas} options {variant}: {difference[:LONGEST]}")
            print(f"   wire {wire.hex()[:LONGEST]}")
            print(f"   JSON {text.decode(errors='replace')[:LONGEST]}")
    print(f"{passed} messages of {schemas} schemas are the same; {refused} of them have no JSON form for either")
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if failed == 0 and passed > 0 else 1)


if __name__ == "__main__":
    main()
