# SPDX-License-Identifier: MIT
"""What step 1 must do, and its exercise."""

from server import expect


def what_a_client_sends_comes_back(run):
    client = run().connect()
    for line in (b"hello\n", b"x\n", b"y" * 4000 + b"\n"):
        expect(client.ask(line) == line, "not-echoed", "A line did not come back as it was sent.")


def the_end_of_the_stream_is_answered_with_the_end(run):
    client = run().connect()
    client.send(b"one\ntwo\nlast words")
    client.end()
    expect(client.receive_all() == b"one\ntwo\nlast words", "lost-at-the-end",
           "A client sent some bytes, and its end right behind. The bytes did not all come back.")
    expect(client.ended == "eof", "no-end",
           "A client sent its end, and got everything back, but the connection was not closed.")


def the_next_client_is_served_as_well(run):
    server = run()
    for number in range(5):
        client = server.connect()
        line = b"client %d\n" % number
        expect(client.ask(line) == line, "one-client-only", "The next client got no answer.")
        client.close()


def a_client_that_resets_does_no_harm(run):
    server = run()
    for _ in range(20):
        client = server.connect()
        client.send(b"never mind\n" * 50)
        client.reset()
    client = server.connect()
    expect(client.ask(b"still there?\n") == b"still there?\n", "killed-by-a-reset",
           "After some clients that broke their connections, nobody was served any more. What does "
           "send() do to a program when the connection is broken, unless it is told not to?")


def much_data_comes_back_whole(run):
    client = run().connect()
    data = b"".join(b"%0999d\n" % number for number in range(2000))
    expect(client.pump(data) == data, "not-whole",
           "Two megabytes did not come back as they were sent.")


CHECKS = [
    what_a_client_sends_comes_back,
    the_end_of_the_stream_is_answered_with_the_end,
    the_next_client_is_served_as_well,
    a_client_that_resets_does_no_harm,
    much_data_comes_back_whole,
]


# ---- The exercise: at the end of the stream, say how many lines there were


def conversation(run, *pieces):
    """Sends the pieces, each when the one before has come back; gives back what comes at the end.
    """
    client = run().connect()
    for piece in pieces:
        expect(client.ask(piece) == piece, "not-echoed", "What is sent must still come back.")
    client.end()
    return client.receive_all()


def the_lines_are_counted(run):
    said = conversation(run, b"one\n", b"two\n")
    expect(said != b"", "start",
           "The client has sent its end, and the connection was closed without a word. Which value "
           "of recv() tells you that the client has ended, and what may you still do then?")
    expect(said == b"2 lines\n", "wrong-count", f"Two lines were sent; you said {said!r}.")


def lines_that_come_together_are_counted(run):
    said = conversation(run, b"one\ntwo\nthree\n", b"fo", b"ur\n", b"a piece without an end")
    expect(said == b"4 lines\n", "one_recv_one_line",
           f"Four lines were sent, some of them together, one in two pieces; you said {said!r}. "
           "What does one recv() promise about where a line begins and ends?")


def bytes_of_every_value_are_counted(run):
    said = conversation(run, b"zero \0 is a byte\nas any other\n")
    expect(said == b"2 lines\n", "bytes_as_a_string",
           f"Two lines were sent, with a byte of value 0 in the first; you said {said!r}. How does "
           "the function that you search with know where the bytes end?")


EXERCISE = [the_lines_are_counted, lines_that_come_together_are_counted,
            bytes_of_every_value_are_counted, *CHECKS[2:4]]
