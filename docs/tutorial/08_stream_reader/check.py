# SPDX-License-Identifier: MIT
"""What step 8 must do, and its exercise."""

from server import expect


def a_line_is_answered_when_it_is_whole(run):
    server = run()
    client = server.connect()
    for piece in (b"he", b"l", b"lo"):
        client.send(piece)
        server.settle()
        expect(client.there() == b"", "half-a-line", "An answer came before the line had its end.")
    client.send(b"\n")
    expect(client.receive(6) == b"hello\n", "not-echoed", "A line in pieces was not answered.")


def lines_that_come_together_are_all_answered(run):
    client = run().connect()
    data = b"\n\na\nbb\nccc\n"
    expect(client.ask(data) == data, "not-all", "Six lines came at once; not all were answered.")


def the_limit_is_a_limit(run):
    server = run("16")
    client = server.connect()
    expect(client.ask(b"x" * 16 + b"\n") == b"x" * 16 + b"\n", "too-strict",
           "The limit is 16, and a line of 16 bytes was refused.")
    client.send(b"x" * 17 + b"\n")
    expect(client.receive_all() == b"the line is too long\n", "too-long",
           "The limit is 16, and a line of 17 bytes was taken.")


def a_line_without_an_end_is_refused_as_well(run):
    client = run("16").connect()
    client.send(b"x" * 30)
    expect(client.receive_all() == b"the line is too long\n", "without-end",
           "The limit is 16, and 30 bytes came without an end of line. How much do you keep for "
           "somebody who never ends his line?")


CHECKS = [
    a_line_is_answered_when_it_is_whole,
    lines_that_come_together_are_all_answered,
    the_limit_is_a_limit,
    a_line_without_an_end_is_refused_as_well,
]


# ---- The exercise: look at every byte once


def records_come_back(run):
    client = run().connect()
    client.send(b"hello\r\n")
    said = client.receive(7)
    expect(said == b"hello\r\n", "no-record", f"\"hello\\r\\n\" was answered with {said!r}.")


def a_separator_in_two_pieces_is_found(run):
    server = run()
    client = server.connect()
    client.send(b"hello\r")
    server.settle()
    client.send(b"\n")
    expect(client.receive(7) == b"hello\r\n", "separator_in_two_pieces",
           "\"hello\\r\" came, and then \"\\n\". The record was not found. Where may a separator "
           "begin that ends in the new bytes?")


def records_that_come_together_are_found(run):
    server = run()
    client = server.connect()
    client.send(b"a rather long record")
    server.settle()
    client.send(b"\r\nshort\r\n")
    said = [client.receive_line() for _ in range(4)][::2]  # After each, how many were searched.
    expect(said == [b"a rather long record", b"short"], "remembers_too_long",
           f"Two records were sent; these came back: {said!r}. What did you know about bytes that "
           "are not there any more?")


def each_byte_is_searched_once(run):
    server = run()
    client = server.connect()
    pieces = 20
    for _ in range(pieces):
        client.send(b"x" * 500)
        server.settle()
    client.send(b"\r\n")
    client.receive(500 * pieces + 2)
    searched = int(client.receive_line().split()[1])
    most = 500 * pieces + 2 + pieces + 1  # One byte of each piece twice: it might be a "\r".
    expect(searched <= most, "start",
           f"{500 * pieces + 2} bytes came in {pieces + 1} pieces, and {searched} were looked at; "
           f"{most} would do. Which bytes have you seen before?")


EXERCISE = [records_come_back, a_separator_in_two_pieces_is_found,
            records_that_come_together_are_found, each_byte_is_searched_once]
