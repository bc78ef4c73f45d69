# SPDX-License-Identifier: MIT
"""What step 9 must do, and its exercise."""

from server import GUARD, expect

LINE = b"x" * 4095 + b"\n"


def send_until_it_is_stuck(server, client, most):
    """Sends lines, until the server takes no more. Gives back how many bytes were sent."""
    sent = 0
    client.socket.setblocking(False)
    while sent < most:
        try:
            sent += client.socket.send(LINE[sent % len(LINE):])
        except BlockingIOError:
            if server.sleeps():  # It will take no more, or it would run.
                break
    client.socket.settimeout(GUARD)
    return sent


def who_does_not_read_is_not_listened_to(run):
    server = run()
    before = server.peak_memory()
    client, other = server.connect(), server.connect()
    sent = send_until_it_is_stuck(server, client, 64 << 20)
    expect(sent < 64 << 20, "takes-everything",
           "A client sent 64 MiB and read nothing. The program took it all.")
    grown = server.peak_memory() - before
    expect(grown < 4096, "grows",
           f"A client sends and does not read: the program grew by {grown} KiB.")
    expect(other.ask(b"hello\n") == b"hello\n", "held-up", "Now nobody else is served.")
    whole = LINE * (sent // len(LINE))
    expect(client.receive(len(whole)) == whole, "not-whole",
           "Then the client read: what it had sent did not all come back.")
    client.send(LINE[sent % len(LINE):])
    expect(client.receive(len(LINE)) == LINE, "not-resumed",
           "A client had been stopped, then it read everything. What it sent after that was not "
           "answered: who has to say that there is room again?")


def a_client_that_is_lost_while_it_is_stopped_does_no_harm(run):
    server = run()
    client = server.connect()
    send_until_it_is_stuck(server, client, 64 << 20)
    client.reset()
    other = server.connect()
    expect(other.ask(b"hello\n") == b"hello\n", "harmed", "A stopped client was lost, and then "
           "nobody was served.")
    expect(server.sleeps(), "never-sleeps", "A stopped client was lost; now the program runs in "
           "circles.")


CHECKS = [
    who_does_not_read_is_not_listened_to,
    a_client_that_is_lost_while_it_is_stopped_does_no_harm,
]


# ---- The exercise: SIGTERM is a request


def without_clients_it_ends_at_once(run):
    server = run()
    server.terminate()
    status = server.exit_status()
    expect(status != -15, "start",
           "SIGTERM killed the program. What is done with a signal by default, and how can a loop "
           "of descriptors hear of one?")
    expect(status == 0, "does-not-end",
           f"The program was asked to end. Its status should be 0; it was {status}.")


def what_was_asked_before_is_answered(run):
    server = run()
    client = server.connect()
    client.ask(b"hello\n")
    server.freeze()  # It sees the question and the signal at the same time.
    client.send(b"one more\n")
    server.terminate()
    server.thaw()
    said = client.receive(9)
    expect(said == b"one more\n", "drops_answers",
           f"A client asked, and then the program was told to end. The answer was {said!r}. Who "
           "has work to finish when the signal comes?")
    client.close()
    expect(server.exit_status() == 0, "does-not-end", "All was answered, and the program did not "
           "end, or not with status 0.")


def who_says_nothing_does_not_hold_it_up(run):
    server = run()
    clients = [server.connect() for _ in range(5)]
    clients[0].ask(b"hello\n")
    server.settle()
    server.terminate()
    for client in clients:
        client.receive_all()
        expect(client.ended == "eof", "waits_for_the_idle",
               "The program was told to end, and waits for clients that have nothing to say. What "
               "must a coroutine hear that sits in readuntil()?")
    expect(server.exit_status() == 0, "does-not-end", "All clients have gone, and the program did "
           "not end, or not with status 0.")


EXERCISE = [without_clients_it_ends_at_once, what_was_asked_before_is_answered,
            who_says_nothing_does_not_hold_it_up]
