"""Autobahn's cases by PyPI `kosoku`, against an echo server or an echo client.

    python autobahn.py server PROGRAM [--record] [--only GLOB]
    python autobahn.py client PROGRAM [--record] [--only GLOB]

A server is started with `--listen 127.0.0.1:0` and prints `listening ws://HOST:PORT`; a client is started with
`--server HOST:PORT`, asks how many cases there are, runs each of them, and asks for the reports.

The verdicts of both roles have to be those of autobahn.txt beside this file, one case a line: on the messages, then on
the close. `--record` writes that file. A case that fails cannot be recorded: the file holds OK, NON-STRICT (as RFC 6455
allows, though not as it recommends) and INFORMATIONAL (where it says nothing).

Groups 12 and 13 are left out: they are about compression.
"""

import argparse
import asyncio
import contextlib
import pathlib
import sys

from kosoku import FailureError, run_fuzzingclient, run_fuzzingserver

EXCLUDED = ["12.*", "13.*"]
# The cases that send slowly mostly wait; the ones with large messages need a processor.
CONCURRENCY = 8
LIMIT = 240


async def end(process):
    if process.returncode is None:
        # It may have ended since.
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.wait()


async def serve(program, cases):
    """Runs the cases against a server."""
    process = await asyncio.create_subprocess_exec(
        program, "--listen", "127.0.0.1:0", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        prefix = "listening "
        while not (line := (await process.stdout.readline()).decode()).startswith(prefix):
            if not line:
                raise RuntimeError(f"{program} ended before it listened")
        return await run_fuzzingclient(line.removeprefix(prefix).strip(), cases, EXCLUDED, concurrency=CONCURRENCY)
    finally:
        await end(process)


async def drive(program, cases):
    """Lets a client run the cases."""
    async with run_fuzzingserver(cases, EXCLUDED, port=0) as server:
        address = f"{server.address}:{server.port}"
        process = await asyncio.create_subprocess_exec(
            program, "--server", address, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        try:
            _, errors = await process.communicate()
            if process.returncode != 0:
                raise RuntimeError(f"{program} exited with {process.returncode}: {errors.decode(errors='replace')}")
            return await server.get_result()
        finally:
            await end(process)


async def run(role, program, cases):
    """The result of every case, whether or not it passed."""
    try:
        return await asyncio.wait_for({"server": serve, "client": drive}[role](program, cases), LIMIT)
    except FailureError as failure:
        return failure.results


def verdicts(result):
    return f"{result.behavior.value}, {result.behavior_close.value}"


def read_expected(file):
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(line.split(" ", 1) for line in lines if line)


def record(file, results):
    """Writes the file unless a case fails; returns how many passed and failed."""
    failed = [result for result in results if not result.passed]
    for result in failed:
        print(f"FAIL {result.case_id}: {verdicts(result)}; {result.result} {result.result_close}")
    if not failed:
        file.write_text("".join(f"{result.case_id} {verdicts(result)}\n" for result in results))
    return len(results) - len(failed), len(failed)


def compare(expected, results, complete):
    """Prints what is not as expected; returns how many cases passed and failed."""
    failed = 0
    for result in results:
        want = expected.pop(result.case_id, "not in the file")
        if result.passed and verdicts(result) == want:
            continue
        failed += 1
        print(f"FAIL {result.case_id}: {verdicts(result)}; expected: {want}")
        print(f"     {result.result} {result.result_close}")
    missing = expected if complete else {}
    for case in missing:
        print(f"FAIL {case}: it was not run")
    return len(results) - failed, failed + len(missing)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("role", choices=["server", "client"])
    parser.add_argument("program")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--only", metavar="GLOB")
    arguments = parser.parse_args()
    if arguments.record and arguments.only is not None:
        parser.error("--record writes the whole file: leave --only out")
    cases = None if arguments.only is None else [arguments.only]
    file = pathlib.Path(__file__).with_name("autobahn.txt")
    results = asyncio.run(run(arguments.role, arguments.program, cases))
    slowest = max(results, key=lambda result: result.duration)
    print(f"the slowest case, {slowest.case_id}, took {slowest.duration} ms")
    if arguments.record:
        passed, failed = record(file, results)
    else:
        passed, failed = compare(read_expected(file), results, complete=cases is None)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
