"""What a client can do wrong, and what it gets: PyPI `websockets` against PROTOCOL.md.

    python abuse.py ws://HOST:PORT [--only PART-OF-A-NAME]

The endpoint is that of tests/node/abuse.mjs; this is the core of its table with another WebSocket implementation,
and JSON and text that JavaScript cannot write.
"""

import argparse
import asyncio
import json
import re
import struct
import sys
import traceback

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

WAIT = 8
LIMIT = 4 * 1024 * 1024
SUB_PROTOCOL = {"seed": None, "json": "grpcws.v1.json", "proto": "grpcws.v1.proto"}
ALL = ("seed", "json", "proto")
JSON_MODES = ("seed", "json")
V1 = ("json", "proto")
# PROTOCOL.md 4.4, for the codes that occur here.
NAMES = {
    0: ("OK", "OK"),
    1: ("CANCELLED", "Canceled"),
    3: ("INVALID_ARGUMENT", "InvalidArgument"),
    4: ("DEADLINE_EXCEEDED", "DeadlineExceeded"),
    5: ("NOT_FOUND", "NotFound"),
    8: ("RESOURCE_EXHAUSTED", "ResourceExhausted"),
    13: ("INTERNAL", "Internal"),
}


class Stream:
    """One grpcws stream."""

    def __init__(self, socket, mode):
        self.socket, self.mode = socket, mode
        self.messages = []

    async def send(self, content, **options):
        await self.socket.send(content if isinstance(content, (str, bytes, list)) else json.dumps(content), **options)

    async def request(self, sequence):
        """A request of `Bidi` with a sequence number below 128."""
        if self.mode == "proto":
            await self.send(bytes([0x08, sequence]))
        else:
            await self.send({"type": "data", "data": {"sequence": str(sequence)}})

    async def next(self):
        """The next message but pings; a binary frame is `{"type": "data", "data": bytes}`."""
        while True:
            content = await asyncio.wait_for(self.socket.recv(), WAIT)
            message = {"type": "data", "data": content} if isinstance(content, bytes) else json.loads(content)
            if message["type"] == "ping":
                continue
            if not isinstance(content, bytes) and message["type"] != "data":
                compact = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
                assert content == compact, f"{content} is not compact"
            self.messages.append(message)
            return message

    async def response(self):
        while True:
            message = await self.next()
            if message["type"] == "data":
                return message["data"]

    async def expect_echo(self, sequence):
        await self.request(sequence)
        data = await self.response()
        if self.mode == "proto":
            assert bytes([0x18, sequence]) in data, data
        else:
            assert data["requestSequence"] == str(sequence), data

    async def end(self):
        """Reads to the close; returns its code and reason and the terminal messages."""
        try:
            while True:
                await self.next()
        except ConnectionClosed as closed:
            received = closed.rcvd
        terminals = [message for message in self.messages if message["type"] in ("stream_end", "error")]
        if terminals:
            assert self.messages[-1] is terminals[-1], "the terminal message is the last"
        return (received.code, received.reason) if received else (1006, ""), terminals


# === How a stream is to end ===


def ok():
    return {"status": 0, "close": 1000}


def error(status, message, close=None):
    return {"status": status, "message": message, "close": close or 4000 + status}


def silent(close, status):
    return {"status": status, "close": close, "silent": True}


def close_reason(status, message):
    name = NAMES[status][0]
    text = f"{name}: {message}" if message else name
    while len(text.encode()) > 123:
        text = text[:-1]
    return text


def verify(end, want):
    (code, reason), terminals = end
    assert code == want["close"], f"close {code} {reason!r}, {terminals}, expected {want}"
    name, go_name = NAMES[want["status"]]
    if want.get("silent"):
        assert terminals == [], f"a terminal message: {terminals}"
        assert reason == name or reason.startswith(f"{name}: "), f"the reason {reason!r}"
        return
    assert len(terminals) == 1, f"one terminal message, not {terminals}"
    terminal = terminals[0]
    if want["status"] == 0:
        assert terminal == {"type": "stream_end"}, terminal
        assert reason == "OK", f"the reason {reason!r}"
        return
    message = terminal["message"]
    expected = {
        "type": "error",
        "error": f"rpc error: code = {go_name} desc = {message}",
        "code": want["status"],
        "status": name,
        "message": message,
    }
    assert list(terminal.items()) == list(expected.items()), f"{terminal}, expected {expected}"
    if isinstance(want["message"], re.Pattern):
        assert want["message"].search(message), f"the message {message!r}"
    else:
        assert message == want["message"], f"the message {message!r}"
    assert reason == close_reason(want["status"], message), f"the reason {reason!r}"


# === Rows: name, modes, what the client does, how the stream ends ===

PLACE = re.compile(r"^line \d+ column \d+: ")
ANY = re.compile(".")
TOO_LARGE = error(8, f"message is larger than {LIMIT} bytes", 1009)


def sends(*contents, **options):
    """An act that sends contents as they are."""

    async def act(stream):
        for content in contents:
            await stream.send(content, **options)

    return act


def data(text):
    return '{"type":"data","data":' + text + "}"


async def half_close(stream):
    await stream.expect_echo(1)
    await stream.send({"type": "end_send"})


async def cancel(stream):
    await stream.expect_echo(1)
    await stream.send({"type": "cancel"})


async def data_after_end_send(stream):
    # The call stays open, so that the data is late for the client alone.
    script = data('{"script":{"holdOpenMs":"-1"}}') if stream.mode != "proto" else b"\x22\x0b\x58" + b"\xff" * 9 + b"\x01"
    await stream.send(script)
    await stream.response()
    await stream.send({"type": "end_send"})
    await stream.request(1)


async def fail(stream):
    script = (
        data('{"script":{"fail":{"code":5,"message":"game not found"}}}')
        if stream.mode != "proto"
        else b"\x22\x14\x62\x12\x08\x05\x12\x0egame not found"
    )
    await stream.send(script)


async def nothing(stream):
    pass


async def exact_numbers(stream):
    for number in (9007199254740993, 2**63 - 1, -(2**63)):
        await stream.send(data(f'{{"sequence":{number}}}'))
        answer = await stream.response()
        assert answer["requestSequence"] == str(number), answer
    await stream.send({"type": "end_send"})


async def fragments(stream):
    text = data('{"sequence":"5","values":{"stringValue":"😈"}}')
    await stream.send([text[:10], text[10:30], text[30:]])
    answer = await stream.response()
    assert (answer["requestSequence"], answer["values"]["stringValue"]) == ("5", "😈"), answer
    await stream.send({"type": "end_send"})


async def ignored_type(stream):
    await stream.send({"type": "dta"})
    await half_close(stream)


async def binary_json(stream):
    await stream.send(data('{"sequence":"5"}').encode())
    assert (await stream.response())["requestSequence"] == "5"
    await stream.send(b'{"type":"end_send"}')


def nested(opening, closing, depth):
    return opening * depth + closing * depth


def field(text):
    """A text that ends the stream with status 3 and a place."""
    return (JSON_MODES, sends(data(text)), error(3, PLACE))


ROWS = {
    "half-close ends with OK": (ALL, half_close, ok()),
    "an upstream's status": (ALL, fail, error(5, "game not found")),
    "cancel": (V1, cancel, error(1, "call cancelled by the client", 1000)),
    "cancel without a terminal message": (("seed",), cancel, silent(1000, 1)),
    "data after end_send": (ALL, data_after_end_send, error(3, "data after end_send")),
    "no JSON": (ALL, sends("no JSON"), error(3, PLACE)),
    "an array for an envelope": (ALL, sends('["cancel"]'), error(3, ANY)),
    "a type that is no string": (ALL, sends('{"type":1}'), error(3, ANY)),
    "no type": (ALL, sends("{}"), error(3, ANY)),
    "type twice": (ALL, sends('{"type":"pong","type":"cancel"}'), error(3, ANY)),
    "data twice": (JSON_MODES, sends('{"type":"data","data":{},"data":{}}'), error(3, ANY)),
    "unknown type": (V1, sends('{"type":"dta"}'), error(3, 'unknown message type "dta"')),
    "unknown type is ignored": (("seed",), ignored_type, ok()),
    "unknown field": (
        JSON_MODES,
        sends(data('{"sequenc":"1"}')),
        error(3, 'line 1 column 24: unknown field "sequenc" in grpcws.test.v1.BidiRequest'),
    ),
    "a field twice": field('{"sequence":"1","sequence":"1"}'),
    "a field twice, by both of its names": field('{"values":{"int64Value":"1","int64_value":"1"}}'),
    "an array for a message": field("[]"),
    "an int64 above its range": field('{"sequence":9223372036854775808}'),
    "an int64 above its range, quoted": field('{"sequence":"9223372036854775808"}'),
    "an int64 below its range": field('{"sequence":-9223372036854775809}'),
    "an int64 of 100 digits": field('{"sequence":' + "9" * 100 + "}"),
    "1e400 for an int64": field('{"sequence":1e400}'),
    "1e400 for a double": field('{"values":{"doubleValue":1e400}}'),
    "NaN without quotes": field('{"values":{"doubleValue":NaN}}'),
    "a lone surrogate": field('{"values":{"stringValue":"\\ud800"}}'),
    "a low surrogate before a high one": field('{"values":{"stringValue":"\\udc00\\ud800"}}'),
    "a lone surrogate in a field's name": field('{"\\ud800":1}'),
    "a control character in a string": field('{"values":{"stringValue":"a\x01b"}}'),
    "10,000 levels of arrays": field(nested("[", "]", 10_000)),
    "10,000 levels of objects": field(nested('{"values":', "}", 10_000)),
    "10,000 levels in an unknown member are passed over": (
        ALL,
        sends('{"x":' + nested("[", "]", 10_000) + ',"type":"end_send"}'),
        ok(),
    ),
    "100,000 brackets that never close": (ALL, sends('{"x":' + "[" * 100_000), error(3, ANY)),
    "numbers are exact": (JSON_MODES, exact_numbers, ok()),
    "a message in fragments": (JSON_MODES, fragments, ok()),
    "binary is read as JSON": (("seed",), binary_json, ok()),
    "binary in a JSON mode": (("json",), sends(b"{}"), error(3, "binary frame in a JSON mode: send data as text", 1003)),
    "data as text in the binary mode": (
        ("proto",),
        sends(data("{}")),
        error(3, "data as text in grpcws.v1.proto: send a binary frame", 1003),
    ),
    "bytes that are no message": (("proto",), sends(b"\xff\xff\xff"), error(3, ANY)),
    "text that is not UTF-8": (ALL, sends(b'{"type":"\xff"}', text=True), silent(1007, 13)),
    "a surrogate in UTF-8": (ALL, sends(b'{"type":"\xed\xa0\x80"}', text=True), silent(1007, 13)),
    "text that is not UTF-8, in fragments": (ALL, sends([b'{"type', b'":"\xff"}'], text=True), silent(1007, 13)),
    "a message over the limit": (ALL, sends(" " * (LIMIT + 1)), TOO_LARGE),
    "a message over the limit in fragments": (ALL, sends([" " * 65536] * 80), TOO_LARGE),
    "credit in seed mode": (("seed",), sends('{"type":"credit","bytes":1}'), error(3, ANY)),
    "credit without a window has no effect": (V1, sends('{"type":"credit","bytes":1}', '{"type":"end_send"}'), ok()),
}


async def open_stream(base, mode, **options):
    protocol = SUB_PROTOCOL[mode]
    offer = options.pop("subprotocols", [protocol] if protocol else None)
    socket = await asyncio.wait_for(
        connect(
            f"{base}/ws/test/bidi",
            subprotocols=offer,
            compression=None,
            max_size=None,
            ping_interval=None,
            proxy=None,
            **options,
        ),
        WAIT,
    )
    return Stream(socket, mode)


async def run_row(base, mode, act, want):
    stream = await open_stream(base, mode)
    try:
        await act(stream)
    except ConnectionClosed:
        # The gateway closed while the client was still sending: what it said is still to be read.
        pass
    verify(await stream.end(), want)


async def while_sending(base, mode):
    """A frame that claims 64 MiB: the terminal message and the close have to come while it is being sent."""
    stream = await open_stream(base, mode)
    head = struct.pack("!BBQ", 0x80 | (2 if mode == "proto" else 1), 0x80 | 127, 64 * 1024 * 1024) + bytes(4)
    transport = stream.socket.transport
    transport.write(head)
    sent = 0

    async def pump():
        nonlocal sent
        while sent < 32 * 1024 * 1024 and not transport.is_closing():
            if stream.socket.protocol.close_rcvd:
                # Within a frame a client cannot answer the close frame; it hangs up.
                transport.abort()
                return
            transport.write(b" " * 16384)
            sent += 16384
            await asyncio.sleep(0.001)

    pumping = asyncio.create_task(pump())
    end = await stream.end()
    pumping.cancel()
    verify(end, TOO_LARGE)
    assert sent < 32 * 1024 * 1024, f"the answer came after {sent} bytes"


async def refused(base, status, pattern, **options):
    try:
        stream = await open_stream(base, "seed", **options)
    except InvalidStatus as refusal:
        body = (refusal.response.body or b"").decode()
        assert refusal.response.status_code == status, f"{refusal} {body}"
        assert re.search(pattern, body), body
        return
    await stream.socket.close()
    raise AssertionError("the handshake was accepted")


async def deadline(base, mode):
    stream = await open_stream(base, mode, additional_headers={"grpc-timeout": "150m"})
    verify(await stream.end(), error(4, "deadline exceeded"))


async def closed_by_client(base, mode, code):
    stream = await open_stream(base, mode)
    await stream.expect_echo(1)
    await stream.socket.close(code, "bye")
    assert stream.socket.close_code == code, stream.socket.close_code
    _, terminals = await stream.end()
    assert terminals == [], terminals


def all_checks(base):
    for name, (modes, act, want) in ROWS.items():
        for mode in modes:
            yield f"{name} [{mode}]", run_row(base, mode, act, want)
    for mode in ALL:
        yield f"over the limit while still sending [{mode}]", while_sending(base, mode)
        yield f"deadline [{mode}]", deadline(base, mode)
        for code in (1000, 1001, 1008, 4000):
            yield f"the client closes with {code} [{mode}]", closed_by_client(base, mode, code)
    yield "an unknown sub-protocol", refused(base, 400, r"grpcws\.v1\.json", subprotocols=["chat"])
    yield "a foreign origin", refused(base, 403, "", origin="http://evil.example")
    yield "a deadline that is none", refused(base, 400, "", additional_headers={"grpc-timeout": "soon"})


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", help="ws://HOST:PORT")
    parser.add_argument("--only", default="", help="a part of the names to run")
    arguments = parser.parse_args()
    passed = failed = 0
    for name, check in all_checks(arguments.base.rstrip("/")):
        if arguments.only not in name:
            check.close()
            continue
        try:
            await asyncio.wait_for(check, 20)
            passed += 1
            print(f"ok   {name}")
        except Exception as problem:
            failed += 1
            detail = str(problem) or traceback.format_exc(limit=4)
            print(f"FAIL {name}\n     {type(problem).__name__}: {detail[:2000]}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if failed == 0 and passed > 0 else 1)


if __name__ == "__main__":
    asyncio.run(main())
