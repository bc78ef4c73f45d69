# SPDX-License-Identifier: MIT
"""What step 6 must do, and its exercise."""

from server import expect


def answers_come_after_the_end_of_the_question(run):
    client = run("50").connect()
    client.send(b"one\ntwo\n")
    client.end()
    expect(client.receive_all() == b"one\ntwo\n", "closed-too-early",
           "A client asked and sent its end. The answer was on its way, and did not come.")
    expect(client.ended == "eof", "no-end", "After the last answer the connection should end.")


def a_client_that_is_lost_while_it_waits_does_no_harm(run):
    server = run("50")
    for _ in range(10):
        client = server.connect()
        client.send(b"never mind\n")
        server.settle()
        client.reset()
    client = server.connect()
    expect(client.ask(b"hello\n") == b"hello\n", "written-to-the-dead",
           "Ten clients broke their connections before their answers came; then nobody was "
           "served.")


LAST_STEP = {
    answers_come_after_the_end_of_the_question: 7,  # Later steps have a limit, not a delay.
    a_client_that_is_lost_while_it_waits_does_no_harm: 7,
}

CHECKS = list(LAST_STEP)


# ---- The exercise: two clients talk to each other


def pair(run):
    server = run()
    first = server.connect()
    server.settle()
    second = server.connect()
    server.settle()
    return server, first, second


def what_one_says_the_other_hears(run):
    _, first, second = pair(run)
    first.send(b"ping\n")
    heard = second.receive(5)
    expect(heard == b"ping\n", "start",
           f"The first client said \"ping\". The second one should hear it; it heard {heard!r}.")
    second.send(b"pong\n")
    expect(first.receive(5) == b"pong\n", "one-way", "The second client answered, and the first "
           "did not hear it.")


def the_end_of_one_is_not_the_end_of_the_other(run):
    server, first, second = pair(run)
    first.send(b"that is all\n")
    first.end()
    expect(second.receive_all() == b"that is all\n" and second.ended == "eof", "end-not-passed-on",
           "The first client said something and sent its end. The second one should hear both: "
           "which call sends an end, and still listens?")
    server.settle()
    second.send(b"thank you\n")
    second.end()
    expect(first.receive_all() == b"thank you\n", "closed_at_the_first_end",
           "The first client sent its end and went on listening. The second one answered, and the "
           "answer did not arrive. How many directions does a connection have?")


def who_is_left_alone_is_let_go(run):
    _, first, second = pair(run)
    first.ask(b"")
    first.reset()
    second.receive_all()
    expect(second.ended != "silence", "left_alone",
           "The first client broke its connection, and the second one waits for it for ever. Which "
           "callback comes in every case, whatever happens?")


def every_two_are_a_pair(run):
    server, *_ = pair(run)
    third = server.connect()
    server.settle()
    fourth = server.connect()
    server.settle()
    third.send(b"hello\n")
    expect(fourth.receive(6) == b"hello\n", "one-pair-only",
           "A third and a fourth client came, and do not hear each other.")


def who_has_left_is_nobodys_partner(run):
    server = run()
    server.connect().close()
    server.settle()
    first, second = server.connect(), server.connect()
    server.settle()
    first.send(b"hello\n")
    expect(second.receive(6) == b"hello\n", "paired-with-the-dead",
           "A client came and went. The next two should be a pair, and they do not hear each "
           "other.")


EXERCISE = [what_one_says_the_other_hears, the_end_of_one_is_not_the_end_of_the_other,
            who_is_left_alone_is_let_go, every_two_are_a_pair,
            who_has_left_is_nobodys_partner]
