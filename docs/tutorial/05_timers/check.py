# SPDX-License-Identifier: MIT
"""What step 5 must do, and its exercise."""

import time

from server import expect


def an_answer_is_late_and_never_early(run):
    client = run("100").connect()
    begin = time.monotonic()
    expect(client.ask(b"hello\n") == b"hello\n", "no-answer", "The answer never came.")
    expect(time.monotonic() - begin >= 0.1, "too-early", "The answer came before its time.")


def everybody_waits_at_the_same_time(run):
    server = run("200")
    clients = [server.connect() for _ in range(50)]
    begin = time.monotonic()
    for client in clients:
        client.send(b"hello\n")
    for client in clients:
        expect(client.receive(6) == b"hello\n", "no-answer", "An answer never came.")
    expect(time.monotonic() - begin < 8, "one-after-the-other",
           "Fifty clients waited 200 ms each, one after the other. Who sleeps, and what could be "
           "done meanwhile?")


def answers_keep_their_order(run):
    server = run("50")
    client = server.connect()
    for number in range(8):
        client.send(b"%d\n" % number)
        server.settle()
    expect(client.receive(16) == b"0\n1\n2\n3\n4\n5\n6\n7\n", "order",
           "The answers changed places.")


def it_sleeps_until_the_deadline(run):
    server = run("60000")
    server.connect().send(b"see you in a minute\n")
    expect(server.settle() and server.sleeps(), "busy",
           "An answer is due in a minute, and the program runs in circles until then. Which call "
           "can wait for descriptors and for a deadline?")


LAST_STEP = {
    an_answer_is_late_and_never_early: 7,  # Later steps have a limit in place of the delay.
    everybody_waits_at_the_same_time: 7,
    answers_keep_their_order: 7,
    it_sleeps_until_the_deadline: 7,
}

CHECKS = list(LAST_STEP)


# ---- The exercise: "tick 1", "tick 2", ... beside the echo


def ticks_come(run):
    client = run("20").connect()
    expect(client.receive(21) == b"tick 1\ntick 2\ntick 3\n", "start",
           "A client should get \"tick 1\", \"tick 2\" and so on. They did not come.")


def everybody_has_his_own_clock(run):
    server = run("50")
    clients = [server.connect() for _ in range(20)]
    begin = time.monotonic()
    for client in clients:
        expect(client.receive(35) == b"".join(b"tick %d\n" % n for n in range(1, 6)), "no-ticks",
               "One of twenty clients did not get its ticks.")
    expect(time.monotonic() - begin < 4, "sleeps_in_the_callback",
           "Twenty clients wanted a tick each 50 ms. Their clocks were far too slow. What does the "
           "loop do while one of your callbacks waits?")


def who_has_ended_gets_no_more_ticks(run):
    server = run("20")
    client = server.connect()
    client.receive(7)
    client.end()
    client.receive(500)  # It would take a second and a half to fill that with ticks.
    expect(client.ended == "eof", "timer_outlives_the_client",
           "A client sent its end, and its connection was not closed. It still got ticks. Who "
           "still holds the connection?")


def it_still_echoes(run):
    server = run("60000")
    for _ in range(3):
        client = server.connect()
        expect(client.ask(b"hello\n") == b"hello\n", "not-echoed", "The echo is gone.")
        client.close()


def it_sleeps_between_two_ticks(run):
    server = run("60000")
    server.connect().ask(b"hello\n")
    expect(server.sleeps(), "looks_at_the_clock",
           "The next tick is due in a minute, and the program runs all the time until then.")


EXERCISE = [ticks_come, everybody_has_his_own_clock, it_still_echoes, it_sleeps_between_two_ticks,
            who_has_ended_gets_no_more_ticks]
