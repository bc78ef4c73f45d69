# SPDX-License-Identifier: MIT
"""asyncio's reader by its documented rules, as plainly as they can be written down.

It stands in for CPython where that has no sets of separators, and it says which differences between
CPython and weir are meant: each is one place here that asks self._differs(). A run against CPython
3.13 validates it (./dev interop does, when it finds one).
"""

from collections import deque

import language
from differences import (CANCELLED_WAITER, LATE_EXCEPTION, LOST_WAITER, READ_ALL, SECOND_EXCEPTION,
                         STALE_OFFSET, STOLEN_BYTES)
from language import shown, state_line

ALL = frozenset((CANCELLED_WAITER, LATE_EXCEPTION, LOST_WAITER, READ_ALL, SECOND_EXCEPTION,
                 STALE_OFFSET, STOLEN_BYTES))
WAIT = object()  # A read that needs more.


class Failure(Exception):
    """How a read ends, if not with bytes."""

    def __init__(self, text, partial=None):
        self.text = text
        self.partial = partial  # Of an IncompleteReadError.


class Overrun(Exception):
    def __init__(self, found, consumed):
        self.text = language.FOUND_TEXT if found else language.NOT_FOUND_TEXT
        self.found = found
        self.consumed = consumed


class Call:
    """A task that makes one read."""

    __slots__ = ("number", "kind", "argument", "outcome", "started", "parked", "resumed",
                 "cancelled", "failed", "offset", "collected")

    def __init__(self, number, kind, argument):
        self.number = number
        self.kind = kind
        self.argument = argument
        self.outcome = None
        self.started = False
        self.parked = False  # Waits, and has not been woken.
        self.cancelled = False
        self.failed = None  # The exception that ended its wait.
        self.resumed = False
        self.offset = 0  # Where asyncio goes on searching: an index into the buffer, as it was.
        self.collected = b""  # By read(-1).


class ReaderModel:
    def __init__(self, limit, differences=frozenset(), version=(3, 13)):
        self.limit = limit
        self.differences = differences
        self.struck = set()  # The differences that made one.
        self.unknown_size = "undefined" if version >= (3, 8) else "None"
        self.buffer = b""
        self.flow = ""
        self.eof = self.paused = False
        self.exception = None
        self.waiter = None
        self.ghost = None  # Cancelled, and still the waiter if this were asyncio.
        self.collector = None  # The read(-1) that has begun to collect.
        self.ready = deque()
        self.pending = []

    def run(self, operations):
        """The trace."""
        count = 0
        trace = [self._line([])]
        for operation in operations:
            kind, argument = operation.kind, operation.argument
            raised = []
            if kind == "feed":
                if self.eof:
                    raised = [" | raised AssertionError: feed_data after feed_eof"]
                else:
                    self._feed(argument)
            elif kind == "eof":
                self.eof = True
                self._wake()
            elif kind == "exception":
                self.exception = self._stored(argument)
                self._wake(self.exception)
            elif kind == "cancel":
                if self.pending:
                    self._cancel(self.pending[-1 if argument == "last" else 0])
            else:
                call = Call(count, kind, argument)
                count += 1
                self.pending.append(call)
                self.ready.append(call)
            if not operation.at_once:
                while self.ready:
                    self._step(self.ready.popleft())
            trace.append(self._line(raised))
        return trace

    def _line(self, raised):
        news = [" | %d: %s" % (call.number, call.outcome) for call in self.pending if call.outcome]
        self.pending = [call for call in self.pending if not call.outcome]
        return state_line(self.buffer, self.paused, self.eof and not self.buffer, self.flow,
                          [call.number for call in self.pending], raised + news)

    def _differs(self, name):
        """Whether the difference is switched on; then it has struck."""
        if name not in self.differences:
            return False
        self.struck.add(name)
        return True

    # ---- What a protocol does

    def _feed(self, data):
        if not data:
            return
        self.buffer += data
        self._wake()
        if not self.paused and len(self.buffer) > 2 * self.limit:
            self.paused = True
            self.flow += "P"

    def _stored(self, argument):
        if argument == "incomplete":
            return self._incomplete(b"pp", self.unknown_size, "None")
        return Failure("ValueError: boom")

    def _wake(self, failed=None):
        self.ghost = None
        call, self.waiter = self.waiter, None
        if call is not None and not call.cancelled:
            call.parked = False
            call.failed = failed
            self.ready.append(call)

    def _cancel(self, call):
        if call.cancelled:
            return
        call.cancelled = True
        if not call.parked:
            return  # Its next step will see it.
        call.parked = False
        self.ready.append(call)
        # asyncio's reader keeps the cancelled wait until its task has run; here it is none at once.
        # (It has struck when somebody would have been refused.)
        if CANCELLED_WAITER in self.differences and self.waiter is call:
            self.waiter, self.ghost = None, call

    # ---- What tasks do

    def _step(self, call):
        call.resumed = call.started
        call.started = True
        if call.resumed:
            self._unwind(call)
        try:
            if call.cancelled:
                raise Failure("CancelledError")
            answer = self._attempt(call)
            if answer is not WAIT:
                call.outcome = shown(answer)
                return
            self._wait(call)
        except Failure as failure:
            self._give_back(call)
            is_line = call.kind == "readline" and failure.partial is not None
            call.outcome = shown(failure.partial) if is_line else failure.text

    def _unwind(self, call):
        """asyncio: who resumes clears the waiter, even if it is somebody else."""
        is_ghost = self.ghost is call  # asyncio would not have let anybody else wait by now.
        self.ghost = None
        if self.waiter is None or self.waiter is call:
            self.waiter = None
        elif not (is_ghost or self._differs(LOST_WAITER)):
            self.waiter = None

    def _wait(self, call):
        if call.resumed and self.exception and self._differs(LATE_EXCEPTION):
            raise self.exception
        if self.ghost is not None:
            self._differs(CANCELLED_WAITER)
        if self.waiter is not None:
            name = "readuntil" if call.kind == "readline" else call.kind
            raise Failure("RuntimeError: " + language.WAITING_TEXT % name)
        self._resume(True)
        self.waiter = call
        call.parked = True

    def _attempt(self, call):
        """The answer, or WAIT."""
        if call.kind == "read":
            return self._read_all(call) if call.argument < 0 else self._read(call)
        if call.kind == "readexactly":
            return self._readexactly(call)
        if call.kind == "readline":
            return self._readline(call)
        try:
            return self._readuntil(call, call.argument)
        except Overrun as overrun:
            raise Failure("LimitOverrunError: %s consumed=%d" % (overrun.text, overrun.consumed))

    def _check(self, call):
        """Only the first look sees the stored exception; later it must have ended the wait."""
        if call.failed:
            if call.failed is not self.exception and self._differs(SECOND_EXCEPTION):
                raise self.exception
            raise call.failed
        if not call.resumed and self.exception:
            raise self.exception

    def _read(self, call):
        self._check(call)
        if call.argument == 0:
            return b""
        if not self.buffer and not self.eof:
            # asyncio looks once: what another read has taken since looks like the end.
            if not call.resumed or self._differs(STOLEN_BYTES):
                return WAIT
        return self._take(call.argument)

    def _read_all(self, call):
        """asyncio: pieces of at most the limit, each of them a read() of its own."""
        self._check(call)
        if READ_ALL in self.differences:
            return self._read_all_of_weir(call)
        woken = call.resumed
        while True:
            if not woken:
                if self.exception:
                    raise self.exception
                if not self.buffer and not self.eof:
                    return WAIT
            woken = False
            piece = self._take(self.limit)
            if not piece:
                return call.collected
            call.collected += piece

    def _read_all_of_weir(self, call):
        if self.exception and (self.buffer or not self.eof):
            self.struck.add(READ_ALL if self.buffer else LATE_EXCEPTION)
            raise self.exception
        if self.waiter is not None:
            if self.buffer:
                self.struck.add(READ_ALL)
            return WAIT
        if call.resumed and not self.buffer and not self.eof:
            self.struck.add(STOLEN_BYTES)
        if self.collector is None:
            self.collector = call
        if self.collector is call:
            call.collected += self._take(len(self.buffer))
        elif self.buffer:
            self.struck.add(READ_ALL)
        if not self.eof:
            return WAIT
        if self.collector is call:
            self.collector = None
        return call.collected + self._take(len(self.buffer))

    def _give_back(self, call):
        if self.collector is call:
            self.collector = None
        if call.collected and self._differs(READ_ALL):
            self.buffer = call.collected + self.buffer
            self._wake()  # Another read may wait by now, for just these bytes.

    def _readexactly(self, call):
        if call.argument < 0:
            raise Failure("ValueError: readexactly size can not be less than zero")
        self._check(call)
        if call.argument == 0:
            return b""
        if len(self.buffer) >= call.argument:
            return self._take(call.argument)
        if self.eof:
            raise self._incomplete(self._rest(), call.argument, call.argument)
        return WAIT

    def _readuntil(self, call, wanted):
        separators = sorted(wanted, key=len) if isinstance(wanted, tuple) else [wanted]
        if not separators:
            raise Failure("ValueError: Separator should contain at least one element")
        if not separators[0]:
            raise Failure("ValueError: Separator should be at least one-byte string")
        self._check(call)
        match = self._search(call, separators)
        if match:
            start, end = match
            if start > self.limit:
                raise Overrun(True, start)
            return self._take(end)
        if self.eof:
            raise self._incomplete(self._rest(), self.unknown_size, None)
        return WAIT

    def _search(self, call, separators):
        """The match that ends first, of two that end together the shorter one's."""
        offset = call.offset
        if STALE_OFFSET in self.differences:
            found, call.offset = self._search_from(separators, offset)
            again = self._search_from(separators, 0)[0]
            if found != again:
                self.struck.add(STALE_OFFSET)
            found = again
        else:
            found, call.offset = self._search_from(separators, offset)
        if isinstance(found, int):
            raise Overrun(False, found)
        return found

    def _search_from(self, separators, offset):
        """A match, None or how far there is none for certain; and the next offset."""
        size = len(self.buffer)
        if size - offset < len(separators[0]):
            return None, offset
        ends = [(start + len(separator), len(separator))
                for separator in separators
                for start in [self.buffer.find(separator, offset)] if start >= 0]
        if ends:
            end, length = min(ends)
            return (end - length, end), offset
        offset = max(0, size + 1 - len(separators[-1]))
        return (offset if offset > self.limit else None), offset

    def _readline(self, call):
        try:
            return self._readuntil(call, b"\n")
        except Overrun as overrun:
            self._take(overrun.consumed + 1 if overrun.found else len(self.buffer))
            raise Failure("ValueError: " + overrun.text)

    # ---- The buffer

    def _take(self, size):
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        self._resume(len(self.buffer) <= self.limit)
        return taken

    def _rest(self):
        rest, self.buffer = self.buffer, b""
        return rest

    def _resume(self, due):
        if due and self.paused:
            self.paused = False
            self.flow += "R"

    def _incomplete(self, partial, size, expected):
        return Failure(
            "IncompleteReadError: %d bytes read on a total of %s expected bytes"
            " partial=%s expected=%s" % (len(partial), size, shown(partial), expected), partial)
