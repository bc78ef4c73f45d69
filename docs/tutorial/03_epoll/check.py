# SPDX-License-Identifier: MIT
"""What step 3 must do, and its exercise."""

from server import expect


def what_is_not_taken_is_reported_again(run):
    client = run().connect()
    data = b"0123456789abcde\n" * 4096
    client.send(data)
    expect(client.receive(len(data)) == data, "not-whole",
           "64 KiB were sent at once, and did not all come back.")


def a_descriptor_that_is_used_again_is_served(run):
    server = run()
    for number in range(200):
        client = server.connect()
        line = b"%d\n" % number
        expect(client.ask(line) == line, "used-again",
               "Clients came and went, and then one was not served. Its descriptor has the number "
               "of one that was closed: what does your table still know about it?")
        client.close()


CHECKS = [what_is_not_taken_is_reported_again, a_descriptor_that_is_used_again_is_served]


# ---- The exercise: the loop is edge-triggered


def all_that_has_come_is_served(run):
    server = run()
    client = server.connect()
    client.ask(b"hello\n")
    server.freeze()  # So that there is one edge.
    data = b"".join(b"%d\n" % number for number in range(2500))
    client.send(data)
    server.thaw()
    expect(client.receive(len(data)) == data, "start",
           f"{len(data)} bytes came at once; a part of them did not come back. You are told once, "
           "when a descriptor becomes readable: how do you know that you have taken everything?")


def silence_is_not_the_end(run):
    client = run().connect()
    for _ in range(3):
        answer = client.ask(b"once more\n")
        expect(answer == b"once more\n", "silence_is_the_end",
               "A client was served, and then the connection was closed, although it wanted to "
               "stay. recv() says -1 in two very different cases: which are they?")


def clients_that_come_together_are_all_served(run):
    server = run()
    server.freeze()
    clients = [server.connect() for _ in range(5)]
    server.thaw()
    for number, client in enumerate(clients):
        line = b"%d\n" % number
        expect(client.ask(line) == line, "one_accept",
               "Five clients connected at once, and not all were served. Which other descriptor "
               "becomes ready only once?")


EXERCISE = [silence_is_not_the_end, all_that_has_come_is_served,
            clients_that_come_together_are_all_served]
