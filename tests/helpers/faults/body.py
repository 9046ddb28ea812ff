"""Faults of the body: generators that fail, lengths that are wrong, write() and close()."""

from __future__ import annotations

import sys
from typing import Any

from tests.helpers.faults.head import RAISED
from tests.helpers.faults.table import CUT, ENDS, FAILED, FAULTS, WHOLE, Closing, Fault, begin, fault

# Generators


@fault(FAILED)
def generator_raises_first(start_response: Any) -> Any:
    begin(start_response)
    raise LookupError("x")
    yield b"never sent"


@fault(FAILED)
def generator_raises_after_nothing(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    yield b""
    yield b""
    raise SystemExit


@fault(FAILED)
def close_raises_after_an_error(start_response: Any) -> Any:
    begin(start_response)
    return Closing(LookupError("x"), error=SystemExit(1))


for error in RAISED:
    if not isinstance(error, StopIteration):
        pieces = (b"hel", error)
        FAULTS[f"{type(error).__name__}_midway"] = Fault(
            lambda start_response, pieces=pieces: begin(start_response) and Closing(*pieces), CUT, b"hel"
        )


@fault(CUT, b"hel")
def stop_iteration_midway(start_response: Any) -> Any:
    begin(start_response)
    yield b"hel"
    raise StopIteration  # a RuntimeError outside (PEP 479)


@fault(CUT, b"hel")
def error_before_the_announced_end(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    yield b"hel"
    raise LookupError("x")


@fault(CUT, b"hel")
def str_midway(start_response: Any) -> Any:
    begin(start_response)
    yield b"hel"
    yield "lo"


@fault(CUT, b"hel")
def none_midway(start_response: Any) -> Any:
    begin(start_response)
    yield b"hel"
    yield None


@fault(CUT, b"hel")
def started_again_midway(start_response: Any) -> Any:
    begin(start_response)
    yield b"hel"
    begin(start_response)


@fault(CUT, b"hel")
def error_page_too_late(start_response: Any) -> Any:
    begin(start_response)
    yield b"hel"
    try:
        raise LookupError("x")
    except LookupError:
        start_response("500 Own page", [], sys.exc_info())
        yield b"never sent"


@fault(ENDS, b"hello")
def error_after_the_announced_end(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    yield b"hello"
    raise LookupError("x")


# Lengths


@fault(CUT, b"hel")
def list_too_short(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    return [b"hel"]


@fault(CUT, b"hel")
def generator_too_short(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    yield b"hel"


@fault(CUT)
def nothing_of_what_was_announced(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    return []


@fault(ENDS, b"hello")
def list_too_long(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    return [b"hello", b" world"]


@fault(ENDS, b"hello")
def generator_too_long(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    yield b"hel"
    yield b"lo wor"
    yield b"ld"


@fault(ENDS, b"hello")
def generator_without_end(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    while True:
        yield b"hello"


@fault(ENDS)
def something_where_nothing_was_announced(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "0"))
    return [b"stray"]


@fault(WHOLE, logged=False)
def body_of_204(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"), status="204 No Content")
    return [b"stray"]


@fault(WHOLE, logged=False)
def body_of_205(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"), status="205 Reset Content")
    return [b"stray"]


@fault(WHOLE, logged=False)
def stream_of_205(start_response: Any) -> Any:
    begin(start_response, status="205 Reset Content")
    yield b"stray"
    yield b"stray"


@fault(WHOLE, logged=False)
def stream_of_304(start_response: Any) -> Any:
    begin(start_response, status="304 Not Modified")
    yield b"stray"
    yield b"stray"


# write()


@fault(FAILED)
def write_of_str(start_response: Any) -> Any:
    begin(start_response)("text")
    return []


@fault(CUT, b"hel")
def error_after_write(start_response: Any) -> Any:
    begin(start_response)(b"hel")
    raise SystemExit


@fault(CUT, b"hel")
def none_after_write(start_response: Any) -> Any:
    begin(start_response)(b"hel")


@fault(CUT, b"hel")
def write_too_short(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))(b"hel")
    return []


@fault(ENDS, b"hello")
def write_too_long(start_response: Any) -> Any:
    write = begin(start_response, ("Content-Length", "5"))
    write(b"hel")
    write(b"lo world")
    return [b"more"]


# close()

for error in (LookupError("x"), SystemExit(3), KeyboardInterrupt()):
    FAULTS[f"close_raises_{type(error).__name__}"] = Fault(
        lambda start_response, error=error: begin(start_response) and Closing(b"hello", error=error),
        WHOLE,
        b"hello",
    )
