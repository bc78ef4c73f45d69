# SPDX-License-Identifier: MIT
"""docs/examples/chat as the people in its rooms see it."""

import signal
import socket
import unittest

from servers import SECONDS, Server


class Person:
    """A client that reads line by line."""

    def __init__(self, server, name=None):
        self.socket = server.connect()
        self.lines = self.socket.makefile("rb")
        self.guest = self.hear().split()[3].rstrip(",")
        if name:
            self.say(f"/name {name}")
            self.expect(f"* {self.guest} is now {name}")

    def say(self, text):
        self.socket.sendall(text.encode() + b"\n")

    def hear(self):
        return self.lines.readline().decode().rstrip("\n")

    def expect(self, text):
        heard = self.hear()
        if heard != text:
            raise AssertionError(f"heard {heard!r} instead of {text!r}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()


class Rooms(unittest.TestCase):
    def test_what_is_said_in_a_room_is_heard_there_and_nowhere_else(self):
        with Server("chat") as server, Person(server, "ada") as ada, Person(server) as bob:
            ada.expect(f"* {bob.guest} has come")
            with Person(server) as carol:
                ada.expect(f"* {carol.guest} has come")
                bob.expect(f"* {carol.guest} has come")
                bob.say("/join kitchen")
                ada.expect(f"* {bob.guest} has gone")
                carol.expect(f"* {bob.guest} has gone")
                ada.say("hello")
                ada.expect("ada: hello")
                carol.expect("ada: hello")
                bob.say("is anybody here?")
                bob.expect(f"{bob.guest}: is anybody here?")

    def test_who_lists_the_room(self):
        with Server("chat") as server, Person(server, "ada") as ada, Person(server) as bob:
            bob.say("/name bob")
            bob.expect(f"* {bob.guest} is now bob")
            bob.say("/who")
            self.assertEqual(set(bob.hear().removeprefix("* here: ").split(", ")), {"ada", "bob"})
            del ada

    def test_quit_and_hanging_up_are_both_noticed(self):
        with Server("chat") as server, Person(server, "ada") as ada:
            for leave in (lambda person: person.say("/quit"), lambda person: person.__exit__()):
                person = Person(server)
                ada.expect(f"* {person.guest} has come")
                leave(person)
                ada.expect(f"* {person.guest} has gone")
                person.__exit__()

    def test_a_reset_in_the_middle_of_a_line_is_a_goodbye(self):
        with Server("chat") as server, Person(server, "ada") as ada:
            bob = server.connect()
            guest = ada.hear().split()[1]
            bob.sendall(b"half a li")
            bob.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            bob.close()
            ada.expect(f"* {guest} has gone")

    def test_commands_that_make_no_sense_are_answered(self):
        with Server("chat") as server, Person(server) as person:
            person.say("/name")
            person.expect("* what you can do: /name NAME, /join ROOM, /who, /quit")
            person.say("/dance now")
            person.expect("* there is no /dance")
            person.say("x" * 5000)
            person.expect("* a line has at most 4096 bytes")
            person.say("still here")
            self.assertTrue(person.hear().endswith("still here"))

    def test_lines_may_end_as_telnet_ends_them(self):
        with Server("chat") as server, Person(server, "ada") as ada:
            ada.say("hello\r")
            ada.expect("ada: hello")


class Slowness(unittest.TestCase):
    def test_a_client_that_never_reads_does_not_slow_the_others(self):
        """Ten MiB pass through the room, far more than anybody keeps for the one who sleeps."""
        text = "x" * 1000
        with Server("chat") as server, Person(server, "ada") as ada, Person(server) as bob:
            ada.expect(f"* {bob.guest} has come")
            sleeper = server.connect()
            ada.hear(), bob.hear()  # The sleeper has come.
            farewells = []
            for number in range(10_000):
                ada.say(f"{number} {text}")
                for person in (ada, bob):
                    heard = person.hear()
                    if heard.startswith("*"):
                        farewells.append(heard)
                        heard = person.hear()
                    self.assertEqual(heard, f"ada: {number} {text}")
            self.assertEqual(len(farewells), 2, "the sleeper is cut off, both others are told")
            sleeper.close()

    def test_who_floods_and_does_not_read_is_not_listened_to(self):
        """The server stops reading from it, so its own kernel holds it up."""
        with Server("chat") as server, Person(server, "ada") as ada:
            flood = server.connect()
            ada.hear()
            flood.setblocking(False)
            sent, stuck = 0, 0
            while stuck < 20:
                try:
                    sent += flood.send(b"/who\n" * 1000)
                    stuck = 0
                except BlockingIOError:
                    stuck += 1
                    ada.say("still there?")  # A round through the server each time.
                    ada.expect("ada: still there?")
            self.assertLess(sent, 64 << 20)
            flood.close()

    def test_an_interrupt_ends_it_with_people_inside(self):
        with Server("chat") as server, Person(server) as person:
            code, _, err = server.stop(signal.SIGINT)
            self.assertEqual((code, err), (130, ""))
            self.assertEqual(person.hear(), "")


if __name__ == "__main__":
    unittest.main()
