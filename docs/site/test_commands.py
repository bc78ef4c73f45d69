# SPDX-License-Identifier: MIT
"""The commands in the documentation do what it says.

A block ```console is `$ command` and all that it prints, where a line `...` stands for any lines.
The commands of docs/one_byte.md are run with another port, one after the other.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = os.environ.get("WEIR_BUILD_DIR", str(ROOT / "build/gcc"))
sys.path.insert(0, str(ROOT / "tests/lint"))

import md  # noqa: E402

SECONDS = 60


def here(command: str) -> str:
    """With the programs of this build instead of build/gcc."""
    return command.replace("build/gcc", BUILD)


def matches(wanted: list[str], got: list[str]) -> bool:
    pattern = "\n".join(r"(?s:.*)" if line == "..." else re.escape(line) for line in wanted)
    return re.fullmatch(pattern, "\n".join(got)) is not None


def sessions(text: str) -> list[tuple[int, str, list[str]]]:
    """(line, command, output) of each command in the console blocks of a page."""
    found = []
    for fence in md.fences(text):
        if fence.language != "console":
            continue
        for number, line in enumerate(fence.body, fence.line + 1):
            if line.startswith("$ "):
                found.append((number, line[2:], []))
            elif found:
                found[-1][2].append(line)
    return found


class Console(unittest.TestCase):
    def test_commands_print_what_the_pages_say(self):
        seen = 0
        for page in sorted((ROOT / "docs").rglob("*.md")) + [ROOT / "README.md"]:
            for line, command, wanted in sessions(page.read_text(encoding="utf-8")):
                seen += 1
                done = subprocess.run(["bash", "-c", here(command)], cwd=ROOT, text=True,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, timeout=SECONDS, check=False)
                got = done.stdout.rstrip("\n").splitlines()
                self.assertTrue(matches(wanted, got),
                                f"{page}:{line}: {command}\nprinted\n{done.stdout}")
        self.assertGreater(seen, 0)

    def test_an_ellipsis_stands_for_any_lines(self):
        self.assertTrue(matches(["a", "...", "d"], ["a", "b", "c", "d"]))
        self.assertTrue(matches(["..."], []))
        self.assertFalse(matches(["a", "..."], ["b"]))
        self.assertFalse(matches(["a"], ["a", "b"]))


class OneByte(unittest.TestCase):
    def test_the_commands_of_one_byte_show_one_receive_and_one_send(self):
        page = (ROOT / "docs/one_byte.md").read_text(encoding="utf-8")
        serve, ask = next(fence.body for fence in md.fences(page) if fence.kind == "run")
        self.assertTrue(serve.startswith("strace ") and " nc " in ask)
        self.assertIsNotNone(shutil.which("strace"), "apt-get install strace")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        with tempfile.NamedTemporaryFile("r") as calls:
            command = here(serve).replace("7777", port)
            command = command.replace("strace ", f"strace -o {calls.name} ")
            server = subprocess.Popen(command.split(), stdout=subprocess.PIPE, text=True,
                                      start_new_session=True)
            try:
                self.assertIn(port, server.stdout.readline())
                self.assertEqual(self.answer_to(ask.replace("7777", port), int(port)), b"a\nb\nc\n")
                self.wait_for(calls.name, "sendto(")
            finally:
                os.killpg(server.pid, signal.SIGTERM)  # strace, and what it traces.
                server.communicate(timeout=SECONDS)
            text = pathlib.Path(calls.name).read_text(encoding="utf-8")
        sent = re.findall(r'^sendto\(\d+, "a\\nb\\nc\\n"', text, re.MULTILINE)
        self.assertEqual(len(sent), 1, text)
        self.assertEqual(len(re.findall(r'"a\\nb\\nc\\n"', text)), 2, text)  # One in, one out.

    def answer_to(self, command: str, port: int) -> bytes:
        if shutil.which("nc"):
            return subprocess.run(["bash", "-c", command], capture_output=True, timeout=SECONDS,
                                  check=False).stdout
        print("no nc here (netcat-openbsd): a socket asks in its place")
        with socket.create_connection(("127.0.0.1", port), SECONDS) as asking:
            asking.sendall(b"a\nb\nc\n")
            return asking.recv(6, socket.MSG_WAITALL)

    def wait_for(self, path: str, what: str) -> None:
        end = time.monotonic() + SECONDS
        while what not in pathlib.Path(path).read_text(encoding="utf-8"):
            self.assertLess(time.monotonic(), end, f"no {what}")
            time.sleep(0.01)


if __name__ == "__main__":
    unittest.main()
