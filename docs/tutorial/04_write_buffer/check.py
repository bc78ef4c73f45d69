# SPDX-License-Identifier: MIT
"""What step 4 must do, and its exercise."""

from server import expect

MUCH = b"".join(b"%0999d\n" % number for number in range(8000))  # 8 MB


def who_reads_late_gets_everything(run):
    server = run()
    late, other = server.connect(), server.connect()
    late.send(MUCH)
    expect(other.ask(b"hello\n") == b"hello\n", "held-up",
           "A client does not read its answers, and another one is not served any more.")
    expect(late.receive(len(MUCH)) == MUCH, "not-kept",
           "A client sent 8 MB before it read. What the kernel would not take from you at once "
           "did not come, or not in its order. Where do you keep it, and what may overtake it?")


def what_is_kept_is_sent_after_the_end_as_well(run):
    client = run().connect()
    client.send(MUCH)
    client.end()
    expect(client.receive_all() == MUCH, "lost-at-the-end",
           "A client sent 8 MB and its end, and then read. Not everything came.")
    expect(client.ended == "eof", "no-end", "All was sent; then the connection should end.")


def it_asks_for_room_only_while_it_needs_it(run):
    server = run()
    client = server.connect()
    client.send(MUCH)
    client.receive(len(MUCH))
    expect(server.sleeps(), "asks-for-ever",
           "A client got everything, and now the program runs in circles. A socket is nearly "
           "always writable: how long do you want to hear of it?")


LAST_STEP = {
    # With back-pressure, who does not read cannot send that much.
    who_reads_late_gets_everything: 8,
    what_is_kept_is_sent_after_the_end_as_well: 8,
    it_asks_for_room_only_while_it_needs_it: 8,
}

CHECKS = list(LAST_STEP)


# ---- The exercise: count to N, without a place to keep it

N = 1_000_000
NUMBERS = b"".join(b"%d\n" % number for number in range(1, N + 1))  # 6.6 MiB


def it_counts_to_ten(run):
    client = run("10").connect()
    expect(client.receive(21) == b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", "no-numbers",
           "A client connected, and should get the numbers 1 to 10, each on a line.")


def it_keeps_little_for_who_does_not_read(run):
    server = run(str(N))
    before = server.peak_memory()
    client = server.connect()
    expect(client.receive(2) == b"1\n", "no-numbers", "The numbers should begin with 1.")
    slept = server.sleeps()
    grown = server.peak_memory() - before
    expect(grown < 2048, "start",
           f"A client connected and did not read: the program became larger by {grown} KiB. When "
           "do you make a number, and when would be early enough?")
    expect(slept, "runs_in_circles", "A client does not read, and the program runs in circles. "
           "What is it waiting for, and who could tell it?")


def all_numbers_come(run):
    server = run(str(N))
    client = server.connect()
    client.receive(2)
    server.sleeps()  # The kernel is full now.
    expect(client.receive(len(NUMBERS) - 2) == NUMBERS[2:], "stops_when_it_is_full",
           "A million numbers should come, and only the first of them did. Who goes on counting "
           "when the client has made room?")


def when_all_is_said_it_sleeps(run):
    server = run("1000")
    server.connect().receive(len(b"".join(b"%d\n" % number for number in range(1, 1001))))
    expect(server.sleeps(), "asks_for_ever",
           "A client got all its numbers and stays connected; the program runs in circles. What "
           "is nearly always true of a socket, and who still asks?")


EXERCISE = [it_counts_to_ten, it_keeps_little_for_who_does_not_read, all_numbers_come,
            when_all_is_said_it_sleeps]
