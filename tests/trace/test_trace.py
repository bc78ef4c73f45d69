# SPDX-License-Identifier: MIT
"""The trace tells what happened, in sentences and as a picture; a dump tells where tasks stand.

    WEIR_BUILD_DIR=build/gcc tests/trace/test_trace.py --update     writes the transcripts anew
    ./dev docs --update                                             and those in the tutorial
"""

import copy
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from trace_format import errors_of_trace  # noqa: E402

GOLDEN = HERE / "golden"
TESTS = pathlib.Path(os.environ.get("WEIR_BUILD_DIR", HERE.parents[1] / "build" / "gcc")) / "tests"
SCENES = TESTS / "trace_scenes"
STUCK = TESTS / "trace_stuck"
LINE_ECHO = TESTS.parent / "docs" / "examples" / "line_echo"
SECONDS = 20
# Lines of the library move whenever somebody works on it.
LIBRARY_LINE = re.compile(r"((?:reactor|net|streams)/[\w/]+\.[ch]pp):\d+")


def play(*arguments) -> str:
    return subprocess.run([SCENES, *arguments], check=True, capture_output=True, text=True,
                          timeout=SECONDS).stdout


def transcript(scene: str) -> str:
    return LIBRARY_LINE.sub(r"\1", play(scene))


def scenes() -> list[str]:
    return play("--list").split()


class Explained(unittest.TestCase):
    maxDiff = None

    def test_every_scene_is_told_as_it_was_written_down(self):
        self.assertEqual({path.stem for path in GOLDEN.iterdir()}, set(scenes()))
        for scene in scenes():
            with self.subTest(scene):
                self.assertEqual(transcript(scene), (GOLDEN / f"{scene}.txt").read_text())

    def test_the_same_run_is_told_the_same_way_twice(self):
        self.assertEqual(play("echo"), play("echo"))

    def test_a_read_that_goes_on_waiting_says_what_is_missing(self):
        self.assertRegex(transcript("partial_line"),
                         r"fd \d+ became readable: 12 bytes; no separator in 12 of at most "
                         r"64 bytes; the reader keeps waiting\n")


class Tutorial(unittest.TestCase):
    maxDiff = None

    def test_the_page_of_every_step_shows_what_weir_says(self):
        pages = sorted((HERE.parents[1] / "docs" / "tutorial").glob("[0-9][0-9]_*/README.md"))
        steps = [scene for scene in scenes() if scene.startswith("step_")]
        self.assertEqual(steps, [f"step_{int(page.parent.name[:2])}" for page in pages])
        for step, page in zip(steps, pages):
            with self.subTest(step):
                section = page.read_text().partition("\n## What weir says\n")[2]
                told = (GOLDEN / f"{step}.txt").read_text()
                self.assertIn(f"<!-- code: tests/trace/golden/{step}.txt -->\n"
                              f"```output\n{told}```\n", section.partition("\n## ")[0])


class Picture(unittest.TestCase):
    def test_every_scene_is_a_good_trace(self):
        for scene in scenes():
            with self.subTest(scene):
                self.assertEqual(errors_of_trace(json.loads(play(scene, "--json"))), [])

    def test_a_wake_across_tasks_is_an_arrow_between_their_tracks(self):
        events = json.loads(play("wake_across_tasks", "--json"))["traceEvents"]
        tracks = {event["tid"]: event["args"]["name"] for event in events
                  if event["ph"] == "M" and event["name"] == "thread_name"}
        ends = {event["id"]: [None, None] for event in events if event["ph"] in "sf"}
        for event in events:
            if event["ph"] in "sf":
                ends[event["id"]]["sf".index(event["ph"])] = tracks[event["tid"]]
        arrows = list(ends.values())
        self.assertIn(["wake_across_tasks", "waiter"], arrows)
        self.assertIn(["waiter", "wake_across_tasks"], arrows)

    def test_tasks_and_connections_have_a_track_each(self):
        events = json.loads(play("echo", "--json"))["traceEvents"]
        names = [event["args"]["name"] for event in events if event["name"] == "thread_name"]
        self.assertIn("loop", names)
        self.assertIn("echo", names)
        self.assertTrue(any(re.fullmatch(r"fd \d+", name) for name in names), names)

    def test_the_environment_is_enough(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "trace.json"
            with Stuck(WEIR_TRACE=str(file)) as stuck:
                stuck.connect()
            trace = json.loads(file.read_text())
        self.assertEqual(errors_of_trace(trace), [])
        self.assertIn("accept", {event["name"] for event in trace["traceEvents"]})

    def test_each_loop_of_several_threads_has_its_own_trace(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "trace.json"
            with subprocess.Popen([LINE_ECHO, "0", "--threads", "2"], stdout=subprocess.PIPE,
                                  env={**os.environ, "WEIR_TRACE": str(file)}, text=True) as server:
                port = int(re.search(r"\d+$", server.stdout.readline().strip()).group())
                for _ in range(4):
                    with socket.create_connection(("127.0.0.1", port), SECONDS) as client:
                        client.sendall(b"hello\n")
                        self.assertEqual(client.recv(100), b"hello\n")
                server.terminate()
            trace = json.loads(file.read_text())
        self.assertEqual(errors_of_trace(trace), [])
        reads = {event["pid"] for event in trace["traceEvents"] if event["name"] == "read"}
        accepts = {event["pid"] for event in trace["traceEvents"] if event["name"] == "accept"}
        self.assertEqual((len(reads), len(accepts)), (2, 1))
        self.assertFalse(reads & accepts)

    def test_the_environment_may_ask_for_sentences(self):
        with Stuck(WEIR_TRACE="explain") as stuck:
            stuck.connect()
            said = stuck.read_until("no separator in 3 of at most 65536 bytes")
        self.assertIn(" accepts fd ", said)


class Judge(unittest.TestCase):
    """What a broken trace is told."""

    def setUp(self):
        self.trace = json.loads(play("echo", "--json"))

    def broken(self, break_it) -> list[str]:
        trace = copy.deepcopy(self.trace)
        break_it(trace["traceEvents"])
        return errors_of_trace(trace)

    def test_an_arrow_without_its_end_is_noticed(self):
        for phase in "sf":
            number = next(i for i, event in enumerate(self.trace["traceEvents"])
                          if event["ph"] == phase)
            self.assertEqual(len(self.broken(lambda events, at=number: events.pop(at))), 1)

    def test_an_arrow_beside_its_span_is_noticed(self):
        def move(events):
            next(event for event in events if event["ph"] == "f")["ts"] += 1e9
        self.assertEqual(len(self.broken(move)), 1)

    def test_a_member_too_few_is_noticed(self):
        for phase in "XiMsf":
            number = next(i for i, event in enumerate(self.trace["traceEvents"])
                          if event["ph"] == phase)
            for key in self.trace["traceEvents"][number]:
                with self.subTest(phase=phase, key=key):
                    self.assertTrue(self.broken(lambda events, k=key: events[number].pop(k)))

    def test_an_unnamed_track_is_noticed(self):
        self.assertTrue(self.broken(lambda events: events[-1].update(tid=99)))


class Off(unittest.TestCase):
    """What is not traced pays nothing: no hook stands where an echoed request goes by."""

    HOOKS = {
        "net/socket_transport.cpp": 1,  # pause_writing and resume_writing
        "net/socket_transport_reading.cpp": 2,  # pause_reading and resume_reading
        "reactor/event_loop.cpp": 2,  # the last pass, and close()
        "reactor/handle.cpp": 1,  # cancel()
        "reactor/task/task_base.cpp": 1,  # cancel()
    }

    def test_hooks_stand_where_nothing_is_hot(self):
        found = {}
        root = HERE.parents[1]
        for folder in ("reactor", "net", "streams"):
            for path in (root / folder).rglob("*.[ch]pp"):
                name = path.relative_to(root).as_posix()
                hooks = len(re.findall(r"\btracer_?->|\bits->happened", path.read_text()))
                if hooks and not name.startswith("reactor/trace"):
                    found[name] = hooks
        self.assertEqual(found, self.HOOKS, "a new hook: count what it costs (docs/tracing.md)")


class Stuck:
    """A server whose handlers wait five deep; ends with Ctrl-C."""

    def __init__(self, **environment):
        self.process = subprocess.Popen([STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=os.environ | environment)
        self.port = int(self.process.stdout.readline().rpartition(" ")[2])
        self.peer = None

    def connect(self):
        """Returns when the server has answered, and reads the next request, of which some comes."""
        self.peer = socket.create_connection(("127.0.0.1", self.port), SECONDS)
        self.peer.sendall(b"ab:")
        if self.peer.recv(1) != b".":
            raise AssertionError("no answer")
        self.peer.sendall(b"hel")

    def read_until(self, text: str) -> str:
        """What it says on standard error, up to the line that has this text."""
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if text in line:
                break
        return "".join(lines)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.communicate(timeout=SECONDS)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.process.stderr.close()
            if self.peer:
                self.peer.close()


class Dump(unittest.TestCase):
    def test_five_frames_with_their_functions_and_lines(self):
        source = HERE / "stuck.cpp"
        line_of = {int(found[1]): number
                   for number, line in enumerate(source.read_text().splitlines(), 1)
                   if (found := re.search(r"// frame (\d)", line))}
        functions = ["read_name", "Header::read", "read_request", "session", "handle"]
        with Stuck(WEIR_DUMP="QUIT") as stuck:
            stuck.connect()
            stuck.process.send_signal(signal.SIGQUIT)
            said = stuck.read_until("  at handle (")
        frames = re.findall(r"^  at (\S+) \(\S*tests/trace/stuck\.cpp:(\d+)\)$", said, re.MULTILINE)
        wanted = [(function, line_of[depth]) for depth, function in enumerate(functions, 1)]
        found = [(function, int(line)) for function, line in frames]
        self.assertEqual(found[-5:], wanted, said)

    def test_a_signal_that_is_none_is_an_error(self):
        ended = subprocess.run([STUCK], capture_output=True, text=True, timeout=SECONDS,
                               env=os.environ | {"WEIR_DUMP": "KILL"})
        self.assertIn("WEIR_DUMP: expected QUIT, USR1 or USR2, got KILL", ended.stderr)
        self.assertNotEqual(ended.returncode, 0)


def update():
    GOLDEN.mkdir(exist_ok=True)
    for path in GOLDEN.iterdir():
        path.unlink()
    for scene in scenes():
        (GOLDEN / f"{scene}.txt").write_text(transcript(scene))


if __name__ == "__main__":
    update() if sys.argv[1:] == ["--update"] else unittest.main()
