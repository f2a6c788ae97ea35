"""The test service grpcws.test.v1 on grpcio: a gRPC server that is not ours.

    python server.py --listen 127.0.0.1:0

prints `listening grpc://ADDR` once it serves. The proto is the Rust service's own file, compiled at the start, and
its comments say what each knob does. Two things differ, since grpcio decides them: response headers leave with the
first message unless the caller asks for them with `response_headers`, and a status code outside 0 to 16 is UNKNOWN.
"""

import argparse
import asyncio
import base64
import importlib
import itertools
import sys
import tempfile
import time
import urllib.parse
from collections import deque
from pathlib import Path

import grpc
import grpc_tools
from grpc_reflection.v1alpha import reflection
from grpc_tools import protoc

PROTO_ROOT = Path(__file__).resolve().parents[2] / "crates" / "grpcws-test" / "proto"
PROTO = "grpcws/test/v1/test.proto"
PATTERN = bytes(range(251))
REMEMBERED = 1024


def compile_proto():
    """Compiles the proto into a folder that lasts as long as the process, and returns its two modules."""
    out = tempfile.mkdtemp(prefix="grpcws-test-")
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    status = protoc.main(
        ["protoc", f"-I{PROTO_ROOT}", f"-I{well_known}", f"--python_out={out}", f"--grpc_python_out={out}", PROTO]
    )
    if status != 0:
        raise SystemExit(f"protoc ends with {status}")
    sys.path.insert(0, out)
    return importlib.import_module("grpcws.test.v1.test_pb2"), importlib.import_module("grpcws.test.v1.test_pb2_grpc")


pb, services = compile_proto()


class Failed(Exception):
    """The call ends with the status that it asked for."""


# === Knobs ===


def payload(size):
    """`size` bytes in the pattern of the Rust service: byte `i` is `i % 251`."""
    return (PATTERN * (size // len(PATTERN) + 1))[:size]


def decode_base64(text):
    return base64.b64decode(text + "=" * (-len(text) % 4))


def encode_base64(value):
    return base64.b64encode(value).decode().rstrip("=")


def to_metadata(asked):
    """The pairs of a map from names to `MetadataValues`."""
    pairs = []
    for name, values in asked.items():
        for value in values.values:
            pairs.append((name, decode_base64(value) if name.endswith("-bin") else value))
    return pairs


def set_from_query(message, text):
    """Fills a message from `name=value` pairs; a dot stands before the fields of a nested message."""
    for path, value in urllib.parse.parse_qsl(text, keep_blank_values=True):
        *parents, name = path.split(".")
        target = message
        for parent in parents:
            target = getattr(target, parent)
        field = target.DESCRIPTOR.fields_by_name[name]
        if field.enum_type is not None:
            parsed = field.enum_type.values_by_name[value].number
        elif field.type == field.TYPE_BOOL:
            parsed = value == "true"
        elif field.type == field.TYPE_STRING:
            parsed = value
        elif field.type in (field.TYPE_DOUBLE, field.TYPE_FLOAT):
            parsed = float(value)
        else:
            parsed = int(value)
        if field.is_repeated:
            getattr(target, name).append(parsed)
        else:
            setattr(target, name, parsed)


def script_of(context):
    """The script in the request metadata, or `None`."""
    metadata = dict(context.invocation_metadata())
    if "test-script-bin" in metadata:
        return pb.Script.FromString(metadata["test-script-bin"])
    if "test-script" not in metadata:
        return None
    script = pb.Script()
    set_from_query(script, metadata["test-script"])
    return script


class Answer:
    """Everything in a response that is not a message."""

    def __init__(self, knobs, context):
        self.context = context
        self.fail = knobs.fail if knobs.HasField("fail") else None
        self.limit = max(self.fail.after, 0) if self.fail else float("inf")
        self.headers = to_metadata(knobs.response_headers)
        self.trailers = to_metadata(knobs.response_trailers)
        self.echoed = {}
        request = [(name, value) for name, value in context.invocation_metadata()]
        remaining = context.time_remaining()
        if remaining is not None:
            # grpcio keeps the header to itself; what is left of the deadline says the same.
            request.append(("grpc-timeout", f"{max(int(remaining * 1000), 0)}m"))
        echo = [(f"echo-{name}", value) for name, value in request]
        for place in knobs.echo_metadata:
            if place == pb.ECHO_METADATA_HEADERS:
                self.headers += echo
            elif place == pb.ECHO_METADATA_TRAILERS:
                self.trailers += echo
            elif place == pb.ECHO_METADATA_MESSAGE:
                for name, value in request:
                    text = encode_base64(value) if isinstance(value, bytes) else value
                    self.echoed.setdefault(name, []).append(text)

    async def begin(self):
        """Sends the headers that were asked for."""
        if self.headers:
            await self.context.send_initial_metadata(tuple(self.headers))

    def fill(self, response):
        """Writes the metadata of the request into the first response."""
        for name, values in self.echoed.items():
            response.metadata[name].values.extend(values)
        self.echoed = {}

    def end(self):
        """Sets the trailers, and ends the call where it is to fail."""
        trailers = list(self.trailers)
        if self.fail is not None and self.fail.code != 0:
            if self.fail.details:
                trailers.append(("grpc-status-details-bin", encode_status(self.fail)))
            self.context.set_trailing_metadata(tuple(trailers))
            known = {code.value[0]: code for code in grpc.StatusCode}
            self.context.set_code(known.get(self.fail.code, grpc.StatusCode.UNKNOWN))
            self.context.set_details(self.fail.message)
            raise Failed
        if trailers:
            self.context.set_trailing_metadata(tuple(trailers))


def encode_status(fail):
    """A google.rpc.Status, whose fields `Failure` has under the same numbers, without `after`."""
    status = pb.Failure()
    status.CopyFrom(fail)
    status.ClearField("after")
    return status.SerializeToString()


class Pace:
    """Spaces messages evenly."""

    def __init__(self, rate):
        self.interval = 1 / rate if rate > 0 else 0
        self.start = time.monotonic()
        self.turns = 0

    async def turn(self):
        if self.interval:
            await asyncio.sleep(self.start + self.interval * self.turns - time.monotonic())
            self.turns += 1


class Sequence:
    """Follows the sequence numbers of the requests."""

    def __init__(self):
        self.first = self.last = None
        self.gaps = 0

    def enter(self, number):
        if self.last is not None and number != self.last + 1:
            self.gaps += 1
        if self.first is None:
            self.first = number
        self.last = number


async def hold_open(milliseconds):
    if milliseconds < 0:
        await asyncio.Event().wait()
    await asyncio.sleep(milliseconds / 1000)


# === Statistics ===


class Stats:
    """How many calls are live, and how the others ended."""

    def __init__(self):
        self.ids = itertools.count(1)
        self.live = {}
        self.ended = deque(maxlen=REMEMBERED)
        self.totals = pb.StatsResponse()

    def begin(self, method):
        call = pb.Call(id=next(self.ids), method=method)
        call.started_at.GetCurrentTime()
        self.totals.started += 1
        self.totals.last_started_at.CopyFrom(call.started_at)
        self.live[call.id] = call
        return call

    def end(self, call, outcome):
        call.ended_at.GetCurrentTime()
        call.outcome = outcome
        del self.live[call.id]
        self.ended.append(call)
        enter_end(self.totals, call)

    def read(self, request):
        def chosen(calls):
            return [call for call in calls if request.tag in ("", call.tag)]

        answer = pb.StatsResponse()
        live = chosen(self.live.values())
        if request.tag:
            for call in chosen(self.ended):
                enter_end(answer, call)
            answer.started = len(live) + len(chosen(self.ended))
        else:
            answer.CopyFrom(self.totals)
        answer.live = len(live)
        answer.recent.extend(chosen(reversed(self.ended))[: request.recent])
        return answer


def enter_end(totals, call):
    if call.outcome == pb.Call.OUTCOME_COMPLETED:
        totals.completed += 1
        totals.last_completed_at.CopyFrom(call.ended_at)
    elif call.outcome == pb.Call.OUTCOME_FAILED:
        totals.failed += 1
    else:
        totals.cancelled += 1
        totals.last_cancelled_at.CopyFrom(call.ended_at)


class Entry:
    """Enters a call into the statistics for as long as it lasts. Its status is not raised further."""

    def __init__(self, stats, method):
        self.stats = stats
        self.call = stats.begin(method)

    def __enter__(self):
        return self.call

    def __exit__(self, kind, error, trace):
        if kind is None:
            outcome = pb.Call.OUTCOME_COMPLETED
        elif kind in (asyncio.CancelledError, GeneratorExit):
            outcome = pb.Call.OUTCOME_CANCELLED
        else:
            outcome = pb.Call.OUTCOME_FAILED
        self.stats.end(self.call, outcome)
        return kind is Failed


# === Methods ===


class TestService(services.TestServiceServicer):
    """The methods of grpcws.test.v1.TestService."""

    def __init__(self):
        self.stats = Stats()

    async def Unary(self, request, context):
        with Entry(self.stats, "Unary") as call:
            call.tag, call.received = request.tag, 1
            await asyncio.sleep(request.initial_delay_ms / 1000)
            answer = Answer(request, context)
            await answer.begin()
            answer.end()
            response = pb.UnaryResponse(
                sequence=request.sequence, payload=payload(request.size) if request.size else request.payload
            )
            if request.HasField("values"):
                response.values.CopyFrom(request.values)
            answer.fill(response)
            call.sent = 1
            return response
        return pb.UnaryResponse()

    async def ServerStream(self, request, context):
        with Entry(self.stats, "ServerStream") as call:
            call.tag, call.received = request.tag, 1
            await asyncio.sleep(request.initial_delay_ms / 1000)
            answer = Answer(request, context)
            await answer.begin()
            pace = Pace(request.rate)
            response = pb.ServerStreamResponse(sequence=request.first_sequence, payload=payload(request.size))
            answer.fill(response)
            if request.HasField("values"):
                response.values.CopyFrom(request.values)
            while call.sent < min(request.count, answer.limit):
                await pace.turn()
                if request.stamp:
                    response.sent_at.GetCurrentTime()
                await context.write(response)
                call.sent += 1
                response.sequence += 1
                response.ClearField("metadata")
                response.ClearField("values")
            await hold_open(request.hold_open_ms)
            answer.end()

    async def ClientStream(self, requests, context):
        with Entry(self.stats, "ClientStream") as call:
            script = script_of(context)
            first = None
            if script is None:
                first = await read(context, call)
                script = first.script if first is not None else pb.Script()
            call.tag = script.tag
            await asyncio.sleep(script.initial_delay_ms / 1000)
            answer = Answer(script, context)
            await answer.begin()
            response = pb.ClientStreamResponse(payload=payload(script.size))
            sequence = Sequence()
            request = first
            while True:
                if request is not None:
                    sequence.enter(request.sequence)
                    response.bytes += len(request.payload)
                    if request.HasField("values"):
                        response.values.CopyFrom(request.values)
                if script.ignore_input or call.received >= answer.limit:
                    break
                if script.pause_ms and call.received == script.pause_after:
                    await asyncio.sleep(script.pause_ms / 1000)
                request = await read(context, call)
                if request is None:
                    break
            await hold_open(script.hold_open_ms)
            answer.end()
            answer.fill(response)
            response.messages = call.received
            response.first_sequence = sequence.first or 0
            response.last_sequence = sequence.last or 0
            response.gaps = sequence.gaps
            response.in_order = sequence.gaps == 0
            call.sent = 1
            return response
        return pb.ClientStreamResponse()

    async def Bidi(self, requests, context):
        with Entry(self.stats, "Bidi") as call:
            script = script_of(context)
            request = None
            if script is None:
                request = await read(context, call)
                script = request.script if request is not None else pb.Script()
            call.tag = script.tag
            await asyncio.sleep(script.initial_delay_ms / 1000)
            answer = Answer(script, context)
            await answer.begin()
            reply = BidiReplies(call, script, answer, context)
            for _ in range(script.speak_first):
                await reply.send(None)
            while call.sent < answer.limit:
                if request is not None:
                    reply.sequence.enter(request.sequence)
                    for _ in range(script.replies if script.HasField("replies") else 1):
                        await reply.send(request)
                if script.ignore_input or call.sent >= answer.limit:
                    break
                if script.pause_ms and call.received == script.pause_after:
                    await asyncio.sleep(script.pause_ms / 1000)
                request = await read(context, call)
                if request is None:
                    break
            await hold_open(script.hold_open_ms)
            answer.end()

    async def Stats(self, request, context):
        return self.stats.read(request)


class BidiReplies:
    """Sends the responses of one `Bidi` call."""

    def __init__(self, call, script, answer, context):
        self.call, self.script, self.answer, self.context = call, script, answer, context
        self.pace = Pace(script.rate)
        self.payload = payload(script.size)
        self.sequence = Sequence()

    async def send(self, request):
        if self.call.sent >= self.answer.limit:
            return
        await self.pace.turn()
        response = pb.BidiResponse(
            sequence=self.script.first_sequence + self.call.sent,
            payload=self.payload,
            received=self.call.received,
            gaps=self.sequence.gaps,
        )
        self.answer.fill(response)
        if request is not None:
            response.request_sequence = request.sequence
            if request.HasField("values"):
                response.values.CopyFrom(request.values)
            if self.script.size == 0:
                response.payload = request.payload
        await self.context.write(response)
        self.call.sent += 1


async def read(context, call):
    """The next request, or `None` at their end."""
    request = await context.read()
    if request is grpc.aio.EOF:
        # grpcio shows a cancel as an end, and cancels this task a moment later.
        await asyncio.sleep(0.005)
        return None
    call.received += 1
    return request


async def serve(listen):
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.aio.server(options=unlimited)
    services.add_TestServiceServicer_to_server(TestService(), server)
    name = pb.DESCRIPTOR.services_by_name["TestService"].full_name
    reflection.enable_server_reflection([name, reflection.SERVICE_NAME], server)
    host = listen.rpartition(":")[0]
    port = server.add_insecure_port(listen)
    await server.start()
    print(f"listening grpc://{host}:{port}", flush=True)
    await server.wait_for_termination()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", default="127.0.0.1:50051", help="with port 0 the system chooses one")
    try:
        asyncio.run(serve(parser.parse_args().listen))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
