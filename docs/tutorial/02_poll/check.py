# SPDX-License-Identifier: MIT
"""What step 2 must do, and its exercise."""

from server import GUARD, expect


def a_silent_client_holds_up_nobody(run):
    server = run()
    server.connect()
    second = server.connect()
    expect(second.ask(b"hello\n") == b"hello\n", "held-up",
           "A first client was connected and silent. A second one got no answer: in which call "
           "does the program wait?")


def many_clients_talk_in_turns(run):
    server = run()
    clients = [server.connect() for _ in range(100)]
    for number, client in enumerate(clients * 2):
        line = b"%d\n" % number
        expect(client.ask(line) == line, "not-echoed", "One of a hundred clients got no answer.")


def clients_that_leave_take_nobody_with_them(run):
    server = run()
    clients = [server.connect() for _ in range(10)]
    for client in clients:
        client.ask(b"here\n")
    server.freeze()  # So that all of this is seen in one pass.
    for leaving in clients[::2]:
        leaving.close()
    clients[3].reset()
    for staying in (clients[1], clients[9]):
        staying.send(b"and now?\n")
    server.thaw()
    for staying in (clients[1], clients[9]):
        expect(staying.receive(9) == b"and now?\n", "taken-along",
               "Some clients left at the same time, and one that stayed got no answer.")


def without_work_it_sleeps(run):
    server = run()
    clients = [server.connect() for _ in range(3)]
    for client in clients:
        client.ask(b"hello\n")
    clients[0].close()
    clients[1].end()
    expect(server.sleeps(), "never-sleeps",
           "Nobody says anything, and the program still runs all the time. Which descriptor is "
           "ready, again and again, and who should have done something about it?")


CHECKS = [
    a_silent_client_holds_up_nobody,
    many_clients_talk_in_turns,
    clients_that_leave_take_nobody_with_them,
    without_work_it_sleeps,
]


# ---- The exercise: not more than so many clients at a time


def clients_up_to_the_limit_are_served(run):
    server = run("2")
    for client in [server.connect(), server.connect()]:
        expect(client.ask(b"in\n") == b"in\n", "not-echoed", "Two were allowed, and not served.")


def one_too_many_has_to_wait(run):
    server = run("2")
    first, second = server.connect(), server.connect()
    for client in (first, second):
        client.ask(b"in\n")
    third = server.connect()
    third.send(b"in?\n")
    for _ in range(3):  # When these are back, the third client's turn has long been.
        first.ask(b"in\n")
    answer = third.there()
    expect(answer != b"in?\n", "start", "Two clients are allowed, and a third one was served. "
           "Which descriptor need not be looked at while there is no room?")
    expect(third.ended == "" and not closed(third), "sent_away",
           "Two clients are allowed; a third one was sent away. It should wait until there is "
           "room. Who keeps a client that nobody has accepted yet?")
    expect(server.sleeps(), "runs_in_circles",
           "There is no room, a client waits to be accepted, and the program runs in circles. "
           "What does poll() do if you ask for something that is there, and do not take it?")


def closed(client) -> bool:
    """Whether its stream has ended."""
    client.socket.setblocking(False)
    try:
        return client.socket.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        client.socket.settimeout(GUARD)


def who_waits_is_served_when_there_is_room(run):
    server = run("2")
    first, second = server.connect(), server.connect()
    for client in (first, second):
        client.ask(b"in\n")
    third = server.connect()
    third.send(b"in?\n")
    first.close()
    expect(third.receive(4) == b"in?\n", "never_again",
           "A client left, so there was room again, but the one that waited was not served.")


EXERCISE = [clients_up_to_the_limit_are_served, one_too_many_has_to_wait,
            who_waits_is_served_when_there_is_room]
