#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Performs scripts with the real asyncio.StreamReader; with --model, with ReaderModel.

Reads batches of scripts from standard input, ended by a line "done", and writes as many lines. Runs
on CPython 3.7 and later. Before 3.13 the model performs the scripts with several separators.
"""

import asyncio
import gc
import sys
from asyncio import base_events

from language import DONE, Parser, has_set, limit_of, shown, split_scripts, state_line
from model import ReaderModel

HAS_SETS = sys.version_info >= (3, 13)


class Loop(base_events.BaseEventLoop):
    """asyncio's own loop, tasks and futures, without descriptors and without waiting."""

    def run_until_idle(self):
        # Passes would run the same handles in the same order: what a handle schedules comes last.
        ready = self._ready
        while ready:
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def get_debug(self):
        return False


class Transport:
    """Writes down what is asked of it."""

    __slots__ = ("flow",)

    def __init__(self):
        self.flow = ""

    def pause_reading(self):
        self.flow += "P"

    def resume_reading(self):
        self.flow += "R"


def said(task):
    """What came of a task."""
    if task.cancelled():
        return "CancelledError"
    error = task.exception()
    if error is None:
        return shown(task.result())
    return said_error(error)


def said_error(error):
    text = "%s: %s" % (type(error).__name__, error)
    if isinstance(error, asyncio.IncompleteReadError):
        text += " partial=%s expected=%s" % (shown(error.partial), error.expected)
    elif isinstance(error, asyncio.LimitOverrunError):
        text += " consumed=%d" % error.consumed
    return text


class Script:
    """One reader, and the tasks that read from it."""

    def __init__(self, loop, header):
        self.loop = loop
        self.transport = Transport()
        self.reader = asyncio.StreamReader(limit=limit_of(header), loop=loop)
        self.reader.set_transport(self.transport)
        self.tasks = []
        self.pending = []  # Numbers of tasks.

    def perform(self, operation):
        kind, argument, reader = operation.kind, operation.argument, self.reader
        if kind == "feed":
            reader.feed_data(argument)
        elif kind == "readuntil":
            self.start(reader.readuntil(argument))
        elif kind == "read":
            self.start(reader.read(argument))
        elif kind == "readexactly":
            self.start(reader.readexactly(argument))
        elif kind == "readline":
            self.start(reader.readline())
        elif kind == "cancel":
            if self.pending:
                self.tasks[self.pending[-1 if argument == "last" else 0]].cancel()
        elif kind == "eof":
            reader.feed_eof()
        elif kind == "exception":
            if argument == "incomplete":
                reader.set_exception(asyncio.IncompleteReadError(b"pp", None))
            else:
                reader.set_exception(ValueError("boom"))
        else:
            raise SystemExit("no operation called " + kind)

    def start(self, coroutine):
        self.pending.append(len(self.tasks))
        self.tasks.append(self.loop.create_task(coroutine))

    def news(self):
        """Outcomes since the last line."""
        news = []
        for number in self.pending:
            if self.tasks[number].done():
                news.append(" | %d: %s" % (number, said(self.tasks[number])))
        if news:
            self.pending = [number for number in self.pending if not self.tasks[number].done()]
        return news

    def line(self, raised):
        news = self.news()
        reader = self.reader
        return state_line(reader._buffer, reader._paused, reader.at_eof(), self.transport.flow,
                          self.pending, raised + news)

    def run(self, lines, parser):
        trace = [self.line([])]
        for line in lines:
            operation = parser.operation(line)
            raised = []
            try:
                self.perform(operation)
            except Exception as error:
                raised = [" | raised " + said_error(error)]
            if not operation.at_once:
                self.loop.run_until_idle()
            trace.append(self.line(raised))
        for number in self.pending:
            self.tasks[number].cancel()
        if self.pending:
            self.loop.run_until_idle()
        return trace


def perform_with_model(script, parser):
    version = sys.version_info[:2]
    operations = [parser.operation(line) for line in script[1:]]
    return ReaderModel(limit_of(script[0]), version=version).run(operations)


def main():
    with_model = "--model" in sys.argv[1:]
    loop = Loop()
    asyncio.set_event_loop(loop)
    asyncio._set_running_loop(loop)
    parser = Parser()
    gc.disable()  # A script's cycles are few; they are collected once a batch.
    while True:
        lines = []
        for line in sys.stdin:
            line = line.rstrip("\n")
            if line == DONE:
                break
            lines.append(line)
        else:
            break
        output = []
        for script in split_scripts(lines):
            if with_model or not HAS_SETS and has_set(script):
                output += perform_with_model(script, parser)
            else:
                output += Script(loop, script[0]).run(script[1:], parser)
        output.append(DONE)
        sys.stdout.write("\n".join(output) + "\n")
        sys.stdout.flush()
        del output
        gc.collect()
    asyncio._set_running_loop(None)
    loop.close()


if __name__ == "__main__":
    main()
