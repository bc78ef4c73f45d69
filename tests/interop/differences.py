# SPDX-License-Identifier: MIT
"""Where weir's reader differs from asyncio's on purpose. Nothing else is allowed.

A difference is a place in ReaderModel (model.py) that can be switched: without any of them the
model does what CPython does, with all of them what weir does. ./dev interop lets a script end
differently only if the model tells both traces, line by line to the end; what struck is then
counted by name. test_differences.py performs each example on both sides, and fails if a last line
is not as it stands here.
"""

from typing import NamedTuple, Tuple

LOST_WAITER = "lost-waiter"
STALE_OFFSET = "stale-offset"
CANCELLED_WAITER = "cancelled-waiter"
LATE_EXCEPTION = "late-exception"
SECOND_EXCEPTION = "second-exception"
STOLEN_BYTES = "stolen-bytes"
READ_ALL = "read-all"
UNKNOWN_SIZE = "unknown-size"


class Example(NamedTuple):
    script: str  # Operations, with "; " between them.
    asyncio: str  # The last line of CPython's trace,
    weir: str  # and of weir's.


class Difference(NamedTuple):
    name: str
    what: str
    reason: str
    row: str  # How the row in docs/asyncio_map.md begins.
    examples: Tuple[Example, ...]
    before: Tuple[int, int] = (99, 0)  # The first CPython without it.


REFUSED = "RuntimeError: %s() called while another coroutine is already waiting for incoming data"

DIFFERENCES = (
    Difference(
        LOST_WAITER,
        "A read is woken, and before it resumes another one waits. asyncio's first read then "
        "clears the waiter, whoever that is: the second is never woken again. Here it stays; a "
        "woken read that needs more finds the place taken, and is refused.",
        "A lost wake-up helps nobody.",
        "two readers interleaving",
        (
            Example("limit 4; read 1; readexactly 3 &; feed a; feed abb",
                    "'abb' flow= waiting=1",
                    "'' flow= waiting= | 1: 'abb'"),
            Example("limit 4; readexactly 2; readexactly 3 &; feed a",
                    "'a' flow= waiting=0,1",
                    "'a' flow= waiting=1 | 0: " + REFUSED % "readexactly"),
        ),
    ),
    Difference(
        STALE_OFFSET,
        "While readuntil waits another read takes bytes. asyncio goes on searching at an index of "
        "the buffer as it was, and misses a separator. Here the offset counts from the beginning "
        "of the stream.",
        "A record with a separator inside is none. ADR 0009.",
        "scan offset of `readuntil`",
        (
            Example("limit 8; feed aaaaaa; readuntil b; read 5; feed bab",
                    "'abab' flow= waiting=0",
                    "'ab' flow= waiting= | 0: 'ab'"),
        ),
    ),
    Difference(
        CANCELLED_WAITER,
        "Until a cancelled read is unwound, asyncio refuses others. Here a cancelled wait is none.",
        "A time-out in one task must not fail the read of the next.",
        "a cancelled read",
        (
            Example("limit 4; read 1; readline &; cancel",
                    "'' flow= waiting= | 0: CancelledError | 1: " + REFUSED % "readuntil",
                    "'' flow= waiting=1 | 0: CancelledError"),
        ),
    ),
    Difference(
        LATE_EXCEPTION,
        "An exception is stored after a read was woken and before it resumes, and the read needs "
        "more. asyncio waits on, and may for ever. Here the read throws it.",
        "After an error nothing comes any more.",
        "an exception stored between wake-up and resumption",
        (
            Example("limit 4; readexactly 3; feed a &; exception",
                    "'a' flow= waiting=0",
                    "'a' flow= waiting= | 0: ValueError: boom"),
        ),
    ),
    Difference(
        SECOND_EXCEPTION,
        "Two exceptions are stored before the read that waits resumes. asyncio's throws the first, "
        "all later reads the second. Here all throw the second.",
        "One stored exception, the same object for all.",
        "two exceptions stored in one pass",
        (
            Example("limit 4; read 1; exception incomplete &; exception",
                    "'' flow= waiting= | 0: IncompleteReadError: 2 bytes read on a total of "
                    "undefined expected bytes partial='pp' expected=None",
                    "'' flow= waiting= | 0: ValueError: boom"),
        ),
    ),
    Difference(
        STOLEN_BYTES,
        "Another read takes the bytes that woke read(n). asyncio's does not look twice and returns "
        "nothing, as at the end; read(-1) takes that for the end. Here both go on waiting.",
        "An empty result is the end of the stream, and nothing else.",
        "`read(n)` whose bytes another read took",
        (
            Example("limit 4; read 5; read 5 &; feed ab",
                    "'' flow= waiting= | 0: '' | 1: 'ab'",
                    "'' flow= waiting=0 | 1: 'ab'"),
            Example("limit 4; read -1; read 5 &; feed ab",
                    "'' flow= waiting= | 0: '' | 1: 'ab'",
                    "'' flow= waiting=0 | 1: 'ab'"),
        ),
    ),
    Difference(
        READ_ALL,
        "read(-1) does not finish: cancelled, failed or refused. In asyncio what it has collected "
        "is lost. Here it goes back to the buffer, which wakes the read that waits by then, and "
        "it takes nothing where it will be refused.",
        "Nothing received is lost.",
        "`read(-1)` cancelled or failed",
        (
            Example("limit 4; feed abab; read -1; cancel",
                    "'' flow= waiting= | 0: CancelledError",
                    "'abab' flow= waiting= | 0: CancelledError"),
            Example("limit 4; feed abab; read -1; exception",
                    "'' flow= waiting= | 0: ValueError: boom",
                    "'abab' flow= waiting= | 0: ValueError: boom"),
            Example("limit 4; feed ab; readexactly 3; read -1",
                    "'' flow= waiting=0 | 1: " + REFUSED % "read",
                    "'ab' flow= waiting=0 | 1: " + REFUSED % "read"),
        ),
    ),
    Difference(
        UNKNOWN_SIZE,
        "readuntil's IncompleteReadError says \"None expected bytes\" in CPython 3.7, here and "
        "since 3.8 \"undefined\".",
        "The newer text.",
        "unknown size in the text of `IncompleteReadError`",
        (
            Example("limit 4; feed b; readuntil a; eof",
                    "'' at_eof flow= waiting= | 0: IncompleteReadError: 1 bytes read on a total of "
                    "None expected bytes partial='b' expected=None",
                    "'' at_eof flow= waiting= | 0: IncompleteReadError: 1 bytes read on a total of "
                    "undefined expected bytes partial='b' expected=None"),
        ),
        before=(3, 8),
    ),
)
