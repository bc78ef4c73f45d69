# SPDX-License-Identifier: MIT
"""docs/examples/resp_kv as its clients see it. Replies are those of Redis 7.0, byte for byte."""

import select
import signal
import socket
import subprocess
import threading
import unittest

from servers import EXAMPLES, SECONDS, Server, read_exactly, read_to_end, talk

OK = b"+OK\r\n"
NULL = b"$-1\r\n"
PONG = b"+PONG\r\n"
WRONG_TYPE = b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
NO_INTEGER = b"-ERR value is not an integer or out of range\r\n"
SYNTAX = b"-ERR syntax error\r\n"
LIMIT = 64 * 1024  # Of a line that says how much follows, and of an inline request.


def request(*words) -> bytes:
    """An array of bulk strings."""
    data = b"*%d\r\n" % len(words)
    for word in words:
        word = word.encode() if isinstance(word, str) else word
        data += b"$%d\r\n%s\r\n" % (len(word), word)
    return data


def number(value: int) -> bytes:
    return b":%d\r\n" % value


def bulk(text: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(text), text)


def array(*texts: bytes) -> bytes:
    """None stands for a null."""
    replies = [NULL if text is None else bulk(text) for text in texts]
    return b"*%d\r\n" % len(texts) + b"".join(replies)


def arity(name: str) -> bytes:
    return b"-ERR wrong number of arguments for '%s' command\r\n" % name.encode()


def protocol_error(text: str) -> bytes:
    return b"-ERR Protocol error: %s\r\n" % text.encode()


class KeyValueTest(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(Server("resp_kv", "--port", "0"))

    def check(self, *exchanges) -> None:
        """Each exchange is a request, as a line of words or as a tuple of them, and its reply."""
        with self.server.connect() as client:
            for asked, expected in exchanges:
                words = asked.split(" ") if isinstance(asked, str) else asked
                with self.subTest(words=words):
                    client.sendall(request(*words))
                    self.assertEqual(read_exactly(client, len(expected)), expected)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(client.recv(1), b"", "said more than it was asked")


class Commands(KeyValueTest):
    def test_ping_and_echo(self):
        self.check(
            ("PING", PONG),
            ("ping", PONG),
            (("PiNg", "a b"), bulk(b"a b")),
            ("PING a b", arity("ping")),
            (("ECHO", b"\r\n\x00\xff"), bulk(b"\r\n\x00\xff")),
            (("ECHO", ""), bulk(b"")),
            ("ECHO", arity("echo")),
            ("ECHO a b", arity("echo")),
        )

    def test_get_and_set(self):
        self.check(
            ("GET k", NULL),
            ("SET k one", OK),
            ("GET k", bulk(b"one")),
            (("SET", "k", ""), OK),
            ("GET k", bulk(b"")),
            (("SET", "k", b"\r\n\x00\xff"), OK),
            ("GET k", bulk(b"\r\n\x00\xff")),
            ("RPUSH l a", number(1)),
            ("GET l", WRONG_TYPE),
            ("SET l now a string", SYNTAX),
            ("SET l string", OK),
            ("GET l", bulk(b"string")),
            ("GET", arity("get")),
            ("GET a b", arity("get")),
            ("SET k", arity("set")),
        )

    def test_set_refuses_options_that_make_no_sense_and_leaves_the_value(self):
        too_late = b"-ERR invalid expire time in 'set' command\r\n"
        self.check(
            ("SET k old", OK),
            ("SET k new nonsense", SYNTAX),
            ("SET k new EX", SYNTAX),
            ("SET k new EX 10 PX", SYNTAX),
            ("SET k new EX 10 PX 10", SYNTAX),
            (("SET", "k", "new", "", "10"), SYNTAX),
            ("SET k new EX ten", NO_INTEGER),
            ("SET k new EX 1.5", NO_INTEGER),
            ("SET k new EX 0", too_late),
            ("SET k new PX -1", too_late),
            ("SET k new EX 9223372036854775807", too_late),
            ("SET k new PX 9223372036854775807", too_late),
            ("SET k new EX 9223372036854775", too_late),
            ("SET k new EX 9223372036854775808", NO_INTEGER),
            ("GET k", bulk(b"old")),
            ("TTL k", number(-1)),
        )

    def test_times_to_live(self):
        bad = b"-ERR invalid expire time in 'expire' command\r\n"
        self.check(
            ("TTL k", number(-2)),
            ("EXPIRE k 100", number(0)),
            ("SET k 1", OK),
            ("TTL k", number(-1)),
            ("EXPIRE k 100", number(1)),
            ("TTL k", number(100)),
            ("INCR k", number(2)),
            ("TTL k", number(100)),
            ("SET k 1", OK),
            ("TTL k", number(-1)),
            ("SET k 1 eX 1000", OK),
            ("TTL k", number(1000)),
            ("SET k 1 pX 2000000", OK),
            ("TTL k", number(2000)),
            ("MSET k 1", OK),
            ("TTL k", number(-1)),
            ("EXPIRE k ten", NO_INTEGER),
            ("EXPIRE k 9223372036854775807", bad),
            ("EXPIRE k 9223372036854775", bad),
            ("EXPIRE k -9223372036854775808", bad),
            ("EXPIRE k 0", number(1)),
            ("GET k", NULL),
            ("SET k 1", OK),
            ("EXPIRE k -5", number(1)),
            ("EXISTS k", number(0)),
            ("EXPIRE k", arity("expire")),
            ("TTL", arity("ttl")),
        )

    def test_a_key_is_gone_when_its_time_is_over(self):
        with self.server.connect() as client:
            client.sendall(request("SET", "gone", "1", "PX", "20") + request("SET", "kept", "1"))
            read_exactly(client, 2 * len(OK))
            for _ in range(SECONDS * 100):
                client.sendall(request("DBSIZE"))  # Nobody looks at the key: its timer removes it.
                if read_exactly(client, 4) == number(1):
                    break
                select.select([], [], [], 0.01)
            client.sendall(request("EXISTS", "gone", "kept") + request("GET", "gone"))
            self.assertEqual(read_exactly(client, 9), number(1) + NULL)

    def test_a_new_value_is_not_removed_by_the_time_of_the_old_one(self):
        with self.server.connect() as client:
            for change in ("SET", "k", "new"), ("DEL", "k"), ("FLUSHALL",):
                client.sendall(request("SET", "k", "old", "PX", "20") + request(*change))
                read_exactly(client, len(OK))
                read_exactly(client, 4 if change[0] == "DEL" else len(OK))
                clock = request("SET", "clock", "1", "PX", "40")
                client.sendall(request("SET", "k", "new") + clock)
                read_exactly(client, 2 * len(OK))
                for _ in range(SECONDS * 100):
                    client.sendall(request("EXISTS", "clock"))
                    if read_exactly(client, 4) == number(0):
                        break
                    select.select([], [], [], 0.01)
                client.sendall(request("GET", "k"))
                self.assertEqual(read_exactly(client, 9), bulk(b"new"))

    def test_del_and_exists_count_keys(self):
        self.check(
            ("MSET a 1 b 2 c 3", OK),
            ("EXISTS a b x a", number(3)),
            ("DEL a a x c", number(2)),
            ("EXISTS a b c", number(1)),
            ("DBSIZE", number(1)),
            ("DEL", arity("del")),
            ("EXISTS", arity("exists")),
            ("DBSIZE x", arity("dbsize")),
        )

    def test_incr(self):
        self.check(
            ("INCR n", number(1)),
            ("INCR n", number(2)),
            ("GET n", bulk(b"2")),
            ("SET n -1", OK),
            ("INCR n", number(0)),
            ("SET n 9223372036854775806", OK),
            ("INCR n", number(2**63 - 1)),
            ("INCR n", b"-ERR increment or decrement would overflow\r\n"),
            ("GET n", bulk(b"9223372036854775807")),
            ("RPUSH l 1", number(1)),
            ("INCR l", WRONG_TYPE),
            ("INCR", arity("incr")),
        )
        texts = ["", " 1", "1 ", "+1", "01", "-0", "1.0", "1e3", "0x1", "x", "9223372036854775808"]
        for text in texts:
            self.check((("SET", "n", text), OK), ("INCR n", NO_INTEGER))

    def test_lists(self):
        self.check(
            ("LPUSH l a b", number(2)),
            ("RPUSH l c", number(3)),
            ("LRANGE l 0 -1", array(b"b", b"a", b"c")),
            ("LPOP l", bulk(b"b")),
            ("LPOP l", bulk(b"a")),
            ("LPOP l", bulk(b"c")),
            ("LPOP l", NULL),
            ("EXISTS l", number(0)),
            ("SET s 1", OK),
            ("LPUSH s 1", WRONG_TYPE),
            ("RPUSH s 1", WRONG_TYPE),
            ("LPOP s", WRONG_TYPE),
            ("LRANGE s 0 1", WRONG_TYPE),
            ("LRANGE s 0 x", NO_INTEGER),
            ("LPUSH l", arity("lpush")),
            ("RPUSH l", arity("rpush")),
            ("LPOP", arity("lpop")),
            ("LRANGE l 0", arity("lrange")),
        )

    def test_lrange_takes_any_two_numbers(self):
        texts = [b"%d" % n for n in range(4)]
        numbers = [-(2**63), -5, -4, -2, -1, 0, 1, 3, 4, 2**63 - 1]
        cases = [(("RPUSH", "l", *texts), number(4))]
        for first in numbers:
            for last in numbers:
                begin = max(first + 4 if first < 0 else first, 0)
                end = last + 4 if last < 0 else last
                cases.append((f"LRANGE l {first} {last}", array(*texts[begin : max(end + 1, 0)])))
        self.check(*cases, ("LRANGE none 0 -1", array()))

    def test_sets_and_hashes(self):
        self.check(
            ("SADD s a b a", number(2)),
            ("SADD s a c", number(1)),
            ("SADD s", arity("sadd")),
            ("HGET h x", NULL),
            ("HSET h x 1 y 2", number(2)),
            ("HSET h x 3 z 4", number(1)),
            ("HGET h x", bulk(b"3")),
            ("HGET h none", NULL),
            ("HSET h x", arity("hset")),
            ("HSET h x 1 y", arity("hset")),
            ("HGET h", arity("hget")),
            ("HGET s x", WRONG_TYPE),
            ("HSET s x 1", WRONG_TYPE),
            ("SADD h x", WRONG_TYPE),
            ("DBSIZE", number(2)),
        )

    def test_mset_and_mget(self):
        self.check(
            ("MSET a 1 b 2 a 3", OK),
            ("SADD s x", number(1)),
            ("MGET a none s b", array(b"3", None, None, b"2")),
            ("MSET a", arity("mset")),
            ("MSET a 1 b", arity("mset")),
            ("GET a", bulk(b"3")),
            ("MGET", arity("mget")),
        )

    def test_flushall_leaves_nothing(self):
        self.check(
            ("MSET a 1 b 2", OK),
            ("EXPIRE a 100", number(1)),
            ("SADD s 1", number(1)),
            ("FLUSHALL", OK),
            ("DBSIZE", number(0)),
            ("TTL a", number(-2)),
        )

    def test_what_clients_ask_a_server_about_itself(self):
        self.check(
            ("SELECT 0", OK),
            ("SELECT 1", b"-ERR DB index is out of range\r\n"),
            ("SELECT x", NO_INTEGER),
            ("CONFIG GET save", array(b"save", b"")),
            ("CONFIG GET AppendOnly", array(b"AppendOnly", b"no")),
            ("CONFIG GET nonsense", b"*0\r\n"),
            ("CONFIG", arity("config")),
            ("CONFIG GET", arity("config|get")),
            ("CONFIG FOO", b"-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n"),
        )

    def test_command_and_info_say_less_than_those_of_redis(self):
        self.check(
            ("COMMAND", b"*0\r\n"),
            ("COMMAND DOCS", b"*0\r\n"),
            ("INFO", bulk(b"# Stats\r\ntotal_commands_processed:3\r\n")),
        )

    def test_an_unknown_command_is_quoted(self):
        def unknown(name, arguments):
            text = b"-ERR unknown command '%s', with args beginning with: %s\r\n"
            return text % (name, arguments)

        self.check(
            ("Foo a b", unknown(b"Foo", b"'a' 'b' ")),
            ("foo", unknown(b"foo", b"")),
            (("",), unknown(b"", b"")),
            (("f\r\noo", "a\nb"), unknown(b"f  oo", b"'a b' ")),
            (("x" * 200, "y" * 200, "z"), unknown(b"x" * 128, b"'" + b"y" * 128 + b"' ")),
            (("x", "y" * 120, "zzzzz", "w"), unknown(b"x", b"'" + b"y" * 120 + b"' 'zzzzz' ")),
            (("x", "y" * 123, "zzzzz", "w"), unknown(b"x", b"'" + b"y" * 123 + b"' 'zz' ")),
        )

    def test_quit_ends_the_connection_and_what_follows_is_not_done(self):
        asked = request("PING") + request("QUIT", "a") + request("SET", "k", "1")
        self.assertEqual(talk(self.server, asked, half_close=False), PONG + OK)
        self.check(("GET k", NULL))


class Inline(KeyValueTest):
    def test_a_line_is_a_request(self):
        for line, reply in (
            (b"PING\r\n", PONG),
            (b"ping\n", PONG),
            (b" \t ping \t\r\n", PONG),
            (b"\r\n\n  \r\nping\r\n", PONG),
            (b"echo a\r\n", bulk(b"a")),
            (b'echo "a b"\r\n', bulk(b"a b")),
            (b'echo "a\\"b\\\\"\r\n', bulk(b'a"b\\')),
            (b'echo "\\n\\r\\t\\b\\a\\q"\r\n', bulk(b"\n\r\t\b\aq")),
            (b"echo 'a b'\r\n", bulk(b"a b")),
            (b"echo 'it\\'s \\n'\r\n", bulk(b"it's \\n")),
            (b"echo \\n\\ \r\n", bulk(b"\\n\\")),
            (b'echo a"b c"\r\n', bulk(b"ab c")),
            (b'echo ""\r\n', bulk(b"")),
            (b'"ping"\r\n', PONG),
            (b"$4\r\n", b"-ERR unknown command '$4', with args beginning with: \r\n"),
        ):
            with self.subTest(line=line):
                self.assertEqual(talk(self.server, line), reply)

    def test_quotes_must_match(self):
        endings = [b'"', b"'", b'"a', b"'a", b'"a"b', b"'a'b", b'"a\\"', b'a"', b'"a" "']
        for line in [b"echo " + ending for ending in endings]:
            with self.subTest(line=line):
                got = talk(self.server, b"PING\r\n" + line + b"\r\nPING\r\n", half_close=False)
                self.assertEqual(got, PONG + protocol_error("unbalanced quotes in request"))

    def test_a_web_browser_is_hung_up_on(self):
        self.assertEqual(talk(self.server, b"POST / HTTP/1.1\r\nset k 1\r\n", False), b"")
        self.assertEqual(talk(self.server, b"Host: x\r\nset k 1\r\n", False), b"")
        self.check(("GET k", NULL))


class Malformed(KeyValueTest):
    def check_closes(self, data: bytes, text: str) -> None:
        """The server finishes what came before, says what is wrong, and hangs up by itself."""
        with self.subTest(data=data[:40]):
            got = talk(self.server, request("PING") + data, half_close=False)
            self.assertEqual(got, PONG + protocol_error(text))

    def test_how_many_arguments(self):
        for count in b"", b"x", b"-", b"+1", b" 1", b"1 ", b"01", b"1.0", b"2147483648", b"9" * 30:
            self.check_closes(b"*" + count + b"\r\n", "invalid multibulk length")
        self.check_closes(b"*1\n$4\r\nPING\r\n", "invalid multibulk length")

    def test_how_long_an_argument_is(self):
        for size in b"", b"x", b"-1", b"-", b"+1", b" 4", b"04", b"536870913", b"9" * 30:
            self.check_closes(b"*1\r\n$" + size + b"\r\n", "invalid bulk length")
        self.check_closes(b"*2\r\n$4\r\nECHO\r\n$x\r\n", "invalid bulk length")

    def test_something_else_instead_of_an_argument(self):
        for line, got in (b"x", "x"), (b":4", ":"), (b"*1", "*"), (b"PING", "P"), (b"", " "):
            self.check_closes(b"*1\r\n" + line + b"\r\n", f"expected '$', got '{got}'")

    def test_lines_without_an_end(self):
        self.check_closes(b"x" * (LIMIT + 1), "too big inline request")
        self.check_closes(b"*" + b"1" * LIMIT, "too big mbulk count string")
        self.check_closes(b"*1\r\n$" + b"1" * LIMIT, "too big bulk count string")
        self.check_closes(b"*1\r\n" + b"x" * (LIMIT + 1), "too big bulk count string")
        self.check_closes(b"x" * (64 * LIMIT), "too big inline request")

    def test_a_line_of_just_the_limit_is_waited_for(self):
        self.assertEqual(talk(self.server, b"x" * LIMIT), b"")
        self.assertEqual(talk(self.server, b"*1\r\n" + b"$" + b"1" * (LIMIT - 1)), b"")
        text = b"x" * (LIMIT - len(b"echo \r"))
        self.assertEqual(talk(self.server, b"echo " + text + b"\r\n"), bulk(text))

    def test_no_arguments_are_no_request(self):
        for nothing in b"*0\r\n", b"*-1\r\n", b"*-9223372036854775808\r\n":
            self.assertEqual(talk(self.server, nothing + request("PING")), PONG)

    def test_the_end_of_an_argument_is_counted_not_looked_at(self):
        self.assertEqual(talk(self.server, b"*1\r\n$4\r\nPINGxx" + request("PING")), PONG + PONG)

    def test_an_unfinished_request_is_dropped(self):
        whole = request("SET", "k", "1")
        for length in range(1, len(whole)):
            self.assertEqual(talk(self.server, request("PING") + whole[:length]), PONG)
        self.check(("GET k", NULL))

    def test_the_others_do_not_notice(self):
        with self.server.connect() as client:
            client.sendall(request("SET", "k", "1"))
            read_exactly(client, len(OK))
            talk(self.server, b"*1\r\nx\r\n")
            client.sendall(request("GET", "k"))
            self.assertEqual(read_exactly(client, 7), bulk(b"1"))


class Traffic(KeyValueTest):
    def test_ten_thousand_requests_in_one_write_cost_few_system_calls(self):
        asked = b"".join(request("SET", f"key:{n}", str(n)) for n in range(5000))
        asked += b"".join(request("GET", f"key:{n}") for n in range(5000))
        expected = OK * 5000 + b"".join(bulk(b"%d" % n) for n in range(5000))
        self.assertEqual(talk(self.server, asked), expected)
        code, out, err = self.server.stop(signal.SIGTERM)
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"^1 connections, 10000 commands, 0\.\d+ system calls per command\n$")
        self.assertLess(float(out.split()[4]), 0.1)

    def test_bytes_may_come_one_by_one(self):
        with self.server.connect() as client:
            for data, expected in (
                (request("SET", "a key", "a value that is no longer short"), OK),
                (b'GET "a key"\r\n', bulk(b"a value that is no longer short")),
                (b"*0\r\n" + request("PING"), PONG),
                (b"*1\r\n:4\r\n", protocol_error("expected '$', got ':'")),
            ):
                for byte in data:
                    client.sendall(bytes([byte]))
                self.assertEqual(read_exactly(client, len(expected)), expected)
            self.assertEqual(read_to_end(client), b"")

    def test_arguments_of_any_size_come_back_whole(self):
        sizes = [0, 1, 13, 14, 15, 16, 16383, 16384, 16385, LIMIT - 1, LIMIT, LIMIT + 1, 8 << 20]
        texts = [b"0123456789abcde"[: size % 15] + b"z" * (size - size % 15) for size in sizes]
        asked = b"".join(request("SET", "k", text) + request("GET", "k") for text in texts)
        self.assertEqual(talk(self.server, asked), b"".join(OK + bulk(text) for text in texts))

    def test_a_request_may_have_many_arguments(self):
        words = [b"%d" % n for n in range(100000)]
        asked = request("RPUSH", "l", *words) + request("LRANGE", "l", "0", "-1")
        self.assertEqual(talk(self.server, asked), number(100000) + array(*words))

    def test_replies_still_come_after_half_close(self):
        text = b"x" * (1 << 20)
        asked = request("SET", "k", text) + request("GET", "k") * 20
        self.assertEqual(talk(self.server, asked), OK + bulk(text) * 20)

    def test_two_hundred_clients(self):
        clients = [self.enterContext(self.server.connect()) for _ in range(200)]
        for _ in range(5):
            for client in clients:
                client.sendall(request("INCR", "n") + request("PING"))
            seen = set()
            for client in clients:
                line = client.recv(100)
                while not line.endswith(PONG):
                    line += client.recv(100)
                seen.add(int(line[1 : line.index(b"\r")]))
            self.assertEqual(len(seen), 200)
        clients[0].sendall(request("GET", "n"))
        self.assertEqual(read_exactly(clients[0], 10), bulk(b"1000"))

    def test_a_client_that_does_not_read_holds_up_nobody_else(self):
        text = b"x" * (1 << 20)
        with self.server.connect() as slow, self.server.connect() as other:
            slow.sendall(request("SET", "big", text))
            read_exactly(slow, len(OK))
            before = self.server.resident_bytes()
            slow.sendall(request("GET", "big") * 100)  # Replies of 100 MiB: no buffer takes them.
            for _ in range(100):
                other.sendall(request("PING"))
                self.assertEqual(read_exactly(other, len(PONG)), PONG)
            self.assertLess(self.server.resident_bytes(), before + (50 << 20))
            for _ in range(100):
                self.assertEqual(read_exactly(slow, len(bulk(text))), bulk(text))

    def test_clients_that_vanish_leave_nothing_behind(self):
        before = self.server.open_descriptors()
        for _ in range(50):
            with self.server.connect() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.sendall(request("PING") * 100)  # Closed with replies unread: a reset.
        self.server.wait_for_descriptors(before)
        code, _, err = self.server.stop(signal.SIGTERM)
        self.assertEqual((code, err), (0, ""))


class StartAndStop(unittest.TestCase):
    def run_with(self, *arguments):
        return subprocess.run(
            [EXAMPLES / "resp_kv", *arguments], capture_output=True, text=True, timeout=SECONDS
        )

    def test_a_signal_ends_it_with_zero_though_clients_are_connected(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with self.subTest(number=number), Server("resp_kv", "--port", "0") as server:
                idle = [self.enterContext(server.connect()) for _ in range(3)]
                for client in idle:
                    client.sendall(request("PING"))
                    self.assertEqual(read_exactly(client, len(PONG)), PONG)
                idle[2].sendall(b"*2\r\n$4\r\nEC")  # In the middle of a request.
                code, out, err = server.stop(number)
                self.assertEqual((code, err), (0, ""))
                self.assertRegex(out, r"^3 connections, 3 commands, [\d.]+ system calls per comm")
                for client in idle:
                    self.assertEqual(read_to_end(client), b"")

    def test_a_signal_at_once_ends_it_with_zero(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with Server("resp_kv", "--port", "0") as server:
                code, out, err = server.stop(number)
                self.assertEqual((code, err), (0, ""))
                self.assertTrue(out.startswith("0 connections, 0 commands, "), out)

    def test_a_client_that_does_not_read_cannot_keep_it_from_ending(self):
        with Server("resp_kv", "--port", "0") as server, server.connect() as client:
            client.sendall(request("SET", "big", b"x" * (1 << 20)))
            read_exactly(client, len(OK))
            client.sendall(request("GET", "big") * 100)
            read_exactly(client, 1)
            code, _, err = server.stop(signal.SIGTERM)
            self.assertEqual((code, err), (0, ""))

    def test_a_taken_port_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            result = self.run_with("--port", port)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn(port, result.stderr)
        self.assertIn("address already in use", result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1)

    def test_bad_arguments_are_named(self):
        for arguments, named in (
            (["--port", "x"], "x"),
            (["--port", "70000"], "70000"),
            (["--port", "-1"], "-1"),
            (["--port", ""], ""),
            (["--port"], "--port"),
            (["--verbose"], "--verbose"),
            (["1234"], "1234"),
            (["--port", "0", "more"], "more"),
        ):
            with self.subTest(arguments=arguments):
                result = self.run_with(*arguments)
                self.assertEqual((result.returncode, result.stdout), (2, ""))
                self.assertIn(f"'{named}'", result.stderr)
                self.assertIn("--port", result.stderr)


class RedisTools(KeyValueTest):
    def redis_cli(self, *words) -> str:
        return subprocess.run(
            ["redis-cli", "--no-raw", "-p", str(self.server.port), *words],
            capture_output=True, text=True, timeout=SECONDS, check=True,
        ).stdout.rstrip("\n")

    def test_redis_cli_understands_every_kind_of_reply(self):
        self.assertEqual(self.redis_cli("PING"), "PONG")
        self.assertEqual(self.redis_cli("SET", "k", "a b"), "OK")
        self.assertEqual(self.redis_cli("GET", "k"), '"a b"')
        self.assertEqual(self.redis_cli("GET", "none"), "(nil)")
        self.assertEqual(self.redis_cli("RPUSH", "l", "a", "b"), "(integer) 2")
        self.assertEqual(self.redis_cli("LRANGE", "l", "0", "-1"), '1) "a"\n2) "b"')
        self.assertTrue(self.redis_cli("GET", "l").startswith("(error) WRONGTYPE "))

    def test_redis_cli_reads_commands_from_a_pipe(self):
        result = subprocess.run(
            ["redis-cli", "-p", str(self.server.port)],
            input="SET k 1\nINCR k\nMGET k none\n", capture_output=True, text=True, timeout=SECONDS,
        )
        self.assertEqual(result.stdout, "OK\n2\n2\n\n")

    def test_redis_cli_loads_many_commands_through_its_pipe_mode(self):
        asked = b"".join(request("SET", f"k{n}", str(n)) for n in range(1000))
        result = subprocess.run(
            ["redis-cli", "--pipe", "-p", str(self.server.port)],
            input=asked, capture_output=True, timeout=SECONDS,
        )
        self.assertIn(b"errors: 0, replies: 1000", result.stdout)

    def test_redis_benchmark_gets_all_its_answers(self):
        tests = "ping,set,get,incr,lpush,lpop,sadd,hset,mset"
        result = subprocess.run(
            ["redis-benchmark", "-p", str(self.server.port), "-t", tests, "-n", "2000", "-P", "16",
             "-q"],
            capture_output=True, text=True, timeout=SECONDS,
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout.count("requests per second"), 10, result.stdout)
        _, out, err = self.server.stop(signal.SIGTERM)
        self.assertEqual(err, "")
        self.assertGreaterEqual(int(out.split()[2]), 20000)


if __name__ == "__main__":
    unittest.main()
