# SPDX-License-Identifier: MIT
"""What step 7 must do, and its exercise."""

from server import expect


def what_comes_while_nobody_reads_is_kept(run):
    server = run("50")
    client = server.connect()
    for line in (b"one\n", b"two\n", b"three\n"):
        client.send(line)
        server.settle()
    expect(client.receive(14) == b"one\ntwo\nthree\n", "not-kept",
           "Bytes came while the coroutine was busy with earlier ones, and got lost.")


def many_coroutines_wait_at_the_same_time(run):
    server = run("20")
    clients = [server.connect() for _ in range(200)]
    for number, client in enumerate(clients):
        client.send(b"%d\n" % number)
    for number, client in enumerate(clients):
        line = b"%d\n" % number
        expect(client.receive(len(line)) == line, "mixed-up",
               "One of two hundred clients did not get its own answer.")


LAST_STEP = {
    what_comes_while_nobody_reads_is_kept: 7,  # Later steps have a limit in place of the delay.
    many_coroutines_wait_at_the_same_time: 7,
}

CHECKS = list(LAST_STEP)


# ---- The exercise: an Event that many can wait for


def nobody_goes_before_all_are_there(run):
    server = run("3")
    first = server.connect()
    server.settle()
    clients = [first, server.connect(), server.connect()]
    said = first.receive(5)
    expect(said != b"go 1\n", "start",
           "The first client was told to go while it was alone. Three were wanted. What does a "
           "coroutine need, to be able to go on later?")
    expect(said == b"go 3\n", "one_waiter",
           "Three clients waited for the same event, and not all of them were woken. How many can "
           "your event remember?")
    expect(clients[1].receive(5) == b"go 3\n", "one_waiter",
           "Three clients waited for the same event, and not all of them were woken.")
    said = clients[2].receive(5)
    expect(said == b"go 3\n", "latecomer", "The third client makes the event happen, and then "
           "waits for it, for ever. Which question must wait() ask first?")


def who_comes_later_goes_at_once(run):
    server = run("1")
    for number in (1, 2):
        client = server.connect()
        expect(client.receive(5) == b"go %d\n" % number, "latecomer",
               "The event has happened, and who comes after that waits for ever.")


def then_it_echoes(run):
    client = run("1").connect()
    client.receive(5)
    expect(client.ask(b"hello\n") == b"hello\n", "not-echoed", "The echo is gone.")


EXERCISE = [nobody_goes_before_all_are_there, who_comes_later_goes_at_once, then_it_echoes]
