# SPDX-License-Identifier: MIT
"""docs/examples/http as curl, wrk and ab see it, and as those see it who want to smuggle."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import zlib

from servers import EXAMPLES, SECONDS, Server, read_exactly, read_to_end, real, sanitized, talk

MIB = 1 << 20
HEAD_LIMIT = 16 * 1024
HELLO = b"hello from a file\n"
LAST = b"GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def get(path=b"/a.txt", *fields, method=b"GET", version=b"HTTP/1.1") -> bytes:
    lines = [b"%s %s %s" % (method, path, version), b"Host: x", *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunks(*texts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(text), text) for text in texts) + b"0\r\n\r\n"


def upload(body: bytes, *fields) -> bytes:
    return get(b"/upload", *fields, method=b"PUT") + body


def counted(data: bytes) -> bytes:
    return b"%d bytes, Adler-32 %d\n" % (len(data), zlib.adler32(data))


class Reply:
    """One answer off a socket. Of HEAD, say so: it has a length, and no body."""

    def __init__(self, client, is_head=False):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += read_exactly(client, 1)
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.fields = dict(line.lower().split(": ", 1) for line in lines[1:-2])
        self.length = int(self.fields.get("content-length", 0))
        self.body = b"" if is_head else read_exactly(client, self.length)


class HttpTest(unittest.TestCase):
    OPTIONS = ()

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.root = self.folder / "root"
        (self.root / "sub").mkdir(parents=True)
        (self.root / "a.txt").write_bytes(HELLO)
        (self.root / "a b.txt").write_bytes(b"blank\n")
        (self.root / "empty").write_bytes(b"")
        (self.root / "sub" / "index.html").write_bytes(b"<p>sub</p>\n")
        (self.folder / "secret").write_bytes(b"secret\n")
        self.server = self.enterContext(
            Server("http", "--port", "0", "--folder", str(self.root), *self.OPTIONS)
        )
        self.url = f"http://127.0.0.1:{self.server.port}"

    def ask(self, request: bytes, is_head=False) -> Reply:
        with self.server.connect() as client:
            client.sendall(request)
            return Reply(client, is_head)

    def curl(self, *arguments, **options) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["curl", "--silent", "--show-error", *arguments],
            capture_output=True,
            timeout=SECONDS,
            **options,
        )


class Files(HttpTest):
    def test_a_file_comes_with_its_length_and_type(self):
        reply = self.ask(get())
        self.assertEqual((reply.status, reply.body), (200, HELLO))
        self.assertEqual(reply.fields["content-type"], "text/plain; charset=utf-8")

    def test_head_says_the_length_and_sends_no_body(self):
        with self.server.connect() as client:
            client.sendall(get(method=b"HEAD") + get(b"/none", method=b"HEAD") + get())
            self.assertEqual(Reply(client, is_head=True).length, len(HELLO))
            self.assertEqual(Reply(client, is_head=True).status, 404)
            self.assertEqual(Reply(client).body, HELLO)

    def test_paths_are_decoded_and_queries_are_left_out(self):
        self.assertEqual(self.ask(get(b"/a%20b.txt?x=/../..")).body, b"blank\n")
        self.assertEqual(self.ask(get(b"/sub/")).body, b"<p>sub</p>\n")
        self.assertEqual(self.ask(get(b"/empty")).length, 0)

    def test_nothing_outside_of_the_folder_can_be_reached(self):
        (self.root / "link").symlink_to("../secret")
        (self.root / "up").symlink_to("..")
        (self.root / "absolute").symlink_to(self.folder / "secret")
        for path in (
            b"/../secret",
            b"/sub/../../secret",
            b"/%2e%2e/secret",
            b"/..%2fsecret",
            b"/link",
            b"/up/secret",
            b"/absolute",
            b"//etc/passwd",
            b"/sub",
            b"/none",
        ):
            with self.subTest(path=path):
                self.assertEqual(self.ask(get(path)).status, 404)

    def test_what_is_no_path_is_refused(self):
        for path in b"a.txt", b"*", b"/%", b"/%4", b"/%4g", b"/%-1", b"/a.txt%00b", b"/a b":
            with self.subTest(path=path):
                self.assertEqual(self.ask(get(path)).status, 400)

    def test_a_fifo_is_no_file_and_holds_nobody_up(self):
        os.mkfifo(self.root / "fifo")
        self.assertEqual(self.ask(get(b"/fifo")).status, 404)

    def test_fifty_requests_that_come_at_once_are_answered_in_order(self):
        with self.server.connect() as client:
            client.sendall((get() + get(b"/none")) * 25)
            for _ in range(25):
                self.assertEqual(Reply(client).body, HELLO)
                self.assertEqual(Reply(client).status, 404)

    def test_a_client_that_has_said_all_still_gets_its_answers(self):
        got = talk(self.server, get() + get())
        self.assertEqual(got.count(HELLO), 2)

    def test_http_1_0_ends_with_the_answer_unless_it_asks(self):
        self.assertEqual(
            talk(self.server, b"GET /a.txt HTTP/1.0\r\n\r\n", half_close=False).count(HELLO), 1
        )
        with self.server.connect() as client:
            for _ in range(2):
                client.sendall(b"GET /a.txt HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
                self.assertEqual(Reply(client).fields["connection"], "keep-alive")

    def test_close_is_obeyed(self):
        got = talk(self.server, get(b"/a.txt", b"Connection: close") + get(), half_close=False)
        self.assertEqual(got.count(HELLO), 1)

    @real("curl", "curl")
    def test_curl_gets_a_large_file_whole(self):
        data = os.urandom(20 * MIB)
        (self.root / "large").write_bytes(data)
        self.assertEqual(self.curl(f"{self.url}/large").stdout, data)

    def test_a_file_that_shrinks_meanwhile_does_not_look_whole(self):
        (self.root / "large").write_bytes(bytes(64 * MIB))
        with self.server.connect() as client:
            client.sendall(get(b"/large") + get())
            read_exactly(client, 1000)
            os.truncate(self.root / "large", MIB)
            got = read_to_end(client)
            self.assertLess(len(got), 63 * MIB)
            self.assertNotIn(HELLO, got)  # The next answer does not stand in for the rest.


class Uploads(HttpTest):
    def test_a_body_of_known_length_is_counted(self):
        data = os.urandom(200_000)
        reply = self.ask(upload(data, b"Content-Length: %d" % len(data)))
        self.assertEqual(reply.body, counted(data))

    def test_chunks_are_joined_however_they_are_cut(self):
        data = [os.urandom(size) for size in (1, 15, 16, 255, 70_000)]
        request = upload(chunks(*data), b"Transfer-Encoding: Chunked") + LAST
        with self.server.connect() as client:
            for start in range(0, len(request), 999):
                client.sendall(request[start : start + 999])
            self.assertEqual(Reply(client).body, counted(b"".join(data)))
            self.assertEqual(Reply(client).body, HELLO)

    def test_extensions_and_trailers_are_overlooked(self):
        body = b"5;a=b\r\nhello\r\n00000\r\nX-Sum: 1\r\nY: 2\r\n\r\n"
        with self.server.connect() as client:
            client.sendall(upload(body, b"Transfer-Encoding: chunked") + get())
            self.assertEqual(Reply(client).body, counted(b"hello"))
            self.assertEqual(Reply(client).body, HELLO)

    def test_an_upload_of_nothing_is_answered(self):
        for request in upload(b""), upload(b"0\r\n\r\n", b"Transfer-Encoding: chunked"):
            self.assertEqual(self.ask(request).body, counted(b""))

    def test_who_expects_100_is_told_to_continue(self):
        with self.server.connect() as client:
            client.sendall(upload(b"", b"Content-Length: 5", b"Expect: 100-Continue"))
            self.assertEqual(Reply(client).status, 100)
            client.sendall(b"hello")
            self.assertEqual(Reply(client).body, counted(b"hello"))

    def test_who_expects_100_where_no_upload_is_taken_is_refused_at_once(self):
        request = get(b"/a.txt", b"Content-Length: 5", b"Expect: 100-continue", method=b"PUT")
        self.assertEqual(self.ask(request).status, 405)

    def test_a_body_that_nobody_wants_is_never_taken_for_a_request(self):
        request = get(b"/a.txt", b"Content-Length: %d" % len(LAST)) + LAST
        self.assertEqual(talk(self.server, request).count(b"HTTP/1.1 "), 1)

    @real("curl", "curl")
    def test_curl_sends_chunks_and_waits_for_100(self):
        data = os.urandom(5 * MIB)
        got = self.curl(
            "-T", "-", "-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue",
            "--expect100-timeout", "50", f"{self.url}/upload", input=data,
        )
        self.assertEqual(got.stdout, counted(data))

    @real("curl", "curl")
    def test_a_gibibyte_in_chunks_by_curl_takes_no_memory(self):
        size = 1024 * MIB if not sanitized() else 64 * MIB
        self.assertEqual(self.ask(upload(b"", b"Content-Length: 0")).status, 200)
        before = self.server.resident_bytes()
        block = os.urandom(MIB)
        started = time.monotonic()
        with subprocess.Popen(
            ["curl", "-sS", "-T", "-", "-H", "Transfer-Encoding: chunked", f"{self.url}/upload"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as client:
            adler, most = 1, before
            for at in range(0, size, MIB):
                adler = zlib.adler32(block, adler)
                client.stdin.write(block)
                if at % (64 * MIB) == 0:
                    most = max(most, self.server.resident_bytes())
            client.stdin.close()
            self.assertEqual(client.stdout.read(), b"%d bytes, Adler-32 %d\n" % (size, adler))
        most = max(most, self.server.resident_bytes())
        print(
            f"  curl: {size // MIB} MiB in chunks in {time.monotonic() - started:.1f} s;"
            f" the server grew by {(most - before) // 1024} KiB"
        )
        if not sanitized():
            self.assertLess(most - before, 2 * MIB)


class Smuggling(HttpTest):
    """Each request carries a second one, which is answered by whoever reads the first wrongly."""

    def check_refused(self, *requests: bytes, smuggled=LAST) -> None:
        for request in requests:
            with self.subTest(request=request):
                got = talk(self.server, request + smuggled, half_close=False)
                self.assertTrue(got.startswith(b"HTTP/1.1 400 Bad Request\r\n"), got)
                self.assertIn(b"\r\nConnection: close\r\n", got)
                self.assertEqual(got.count(b"HTTP/1.1 "), 1)

    def test_two_answers_to_how_long_the_body_is_are_refused(self):
        coded = b"Transfer-Encoding: chunked"
        self.check_refused(
            upload(b"0\r\n\r\n", coded, b"Content-Length: 5"),
            upload(b"0\r\n\r\n", b"Content-Length: 5", coded),
            upload(b"hello", b"Content-Length: 5", b"Content-Length: 6"),
            upload(b"hello", b"Content-Length: 5", b"Content-Length: 5"),
            upload(b"hello", b"Content-Length: 5, 5"),
            upload(b"0\r\n\r\n", coded, coded),
        )

    def test_lengths_that_are_no_plain_numbers_are_refused(self):
        for length in b"+5", b"-5", b"0x5", b"5 5", b"5;", b"", b"five", b"5.0", b"9" * 20, b"\xb2":
            self.check_refused(upload(b"hello", b"Content-Length: " + length))

    def test_codings_other_than_chunked_are_refused(self):
        for coding in b"identity", b"gzip", b"gzip, chunked", b"chunked, chunked", b"xchunked", b"":
            self.check_refused(upload(b"0\r\n\r\n", b"Transfer-Encoding: " + coding))

    def test_chunks_in_http_1_0_are_refused(self):
        self.check_refused(
            b"PUT /upload HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        )

    def test_folded_lines_are_refused(self):
        self.check_refused(
            get(b"/a.txt", b"X: 1", b" Content-Length: 5"),
            get(b"/a.txt", b"X: 1", b"\tY: 5"),
            get(b"/a.txt", b" X: 1"),
        )

    def test_a_blank_before_the_colon_is_refused(self):
        for field in (
            b"Content-Length : 5", b"Content-Length\t: 5", b"X Y: 1", b": 1", b"X", b"X\0: 1"
        ):  # fmt: skip
            self.check_refused(get(b"/a.txt", field))

    def test_half_a_line_end_is_refused_at_once(self):
        requests = (
            b"GET /a.txt HTTP/1.1\nHost: x\n\n",
            b"GET /a.txt HTTP/1.1\r\nHost: x\n\r\n",
            b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\n",
            b"GET /a.txt HTTP/1.1\r\nHost: x\n\n",
            b"GET /a.txt HTTP/1.1\nHost: x\r\n\r\n",
            b"GET /a.txt HTTP/1.1\rHost: x\r\r",
            b"GET /a.txt HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
            b"GET /a.txt HTTP/1.1\r\nHost: x\r\nX: y\nContent-Length: 5\r\n\r\n",
            b"GET /a.txt HTTP/1.1\r\r\nHost: x\r\n\r\n",
        )
        self.check_refused(*requests)
        self.check_refused(*requests, smuggled=b"")  # Not waited on until it is 408.

    def test_chunk_sizes_that_are_no_plain_hexadecimal_numbers_are_refused(self):
        for size in (
            b"+5", b"-5", b"0x5", b" 5", b"5 ", b"5 ;a", b"5,", b"g", b"", b"5\n", b"5\r",
            b"5;a\nb", b"10000000000000005", b"fffffffffffffffff",
        ):  # fmt: skip
            self.check_refused(
                upload(size + b"\r\nhello\r\n0\r\n\r\n", b"Transfer-Encoding: chunked")
            )

    def test_a_chunk_that_does_not_end_where_it_said_is_refused(self):
        for body in (
            b"5\r\nhello!\r\n0\r\n\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhello\r0\r\n\r\n",
            b"5\r\nhelloxx0\r\n\r\n",
            b"5\nhello\r\n0\r\n\r\n",
            b"0\n\r\n",
            b"0\r\n\n",
            b"0\r\nX: 1\n\r\n",
        ):
            self.check_refused(upload(body, b"Transfer-Encoding: chunked"))

    def test_requests_that_are_none_are_refused(self):
        for line in (
            b"GET /a.txt", b"GET  /a.txt HTTP/1.1", b"GET /a.txt HTTP/1.1 ",
            b" GET /a.txt HTTP/1.1", b"GET\t/a.txt\tHTTP/1.1", b"GET /a.txt HTTP/1.2",
            b"GET /a.txt http/1.1", b"G:T / HTTP/1.1", b"GET /a.txt HTTP/0.9", b"\x16\x03\x01",
        ):  # fmt: skip
            self.check_refused(line + b"\r\nHost: x\r\n\r\n")

    def test_no_host_and_two_hosts_are_refused(self):
        self.check_refused(b"GET /a.txt HTTP/1.1\r\n\r\n", get(b"/a.txt", b"Host: y"))


class Limits(HttpTest):
    def test_a_head_of_the_limit_passes_and_one_byte_more_is_431(self):
        # The limit counts what precedes the end, and of two ends the shorter one is taken.
        room = HEAD_LIMIT - len(get(b"/a.txt", b"X: ")) + len(b"\n\r\n")
        self.assertEqual(self.ask(get(b"/a.txt", b"X: " + b"x" * room)).status, 200)
        self.assertEqual(self.ask(get(b"/a.txt", b"X: " + b"x" * (room + 1))).status, 431)

    def test_a_head_without_an_end_is_431_and_is_not_kept(self):
        before = self.server.resident_bytes()
        got = talk(self.server, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 2_000_000, half_close=False)
        self.assertTrue(got.startswith(b"HTTP/1.1 431 "), got)
        if not sanitized():
            self.assertLess(self.server.resident_bytes() - before, 2 * MIB)

    def test_after_an_error_a_client_that_goes_on_sending_can_read_it(self):
        with self.server.connect() as client:
            client.sendall(b"nonsense\r\n\r\n" + bytes(4 * MIB))
            self.assertEqual(Reply(client).status, 400)


class Patience(HttpTest):
    OPTIONS = ("--patience", "300")

    def test_a_head_that_trickles_is_408_when_its_time_is_over(self):
        with self.server.connect() as client:
            client.settimeout(0.02)
            got, started = b"", time.monotonic()
            while not got:
                client.sendall(b"x")
                try:
                    got = client.recv(1 << 16)
                except TimeoutError:
                    self.assertLess(time.monotonic() - started, SECONDS)
            self.assertTrue(got.startswith(b"HTTP/1.1 408 Request Timeout\r\n"), got)
            self.assertGreaterEqual(time.monotonic() - started, 0.3)

    def test_an_idle_connection_ends_without_a_word(self):
        with self.server.connect() as client:
            client.sendall(get())
            self.assertEqual(Reply(client).body, HELLO)
            self.assertEqual(read_to_end(client), b"")

    def test_an_upload_that_stops_ends(self):
        got = talk(self.server, upload(b"hel", b"Content-Length: 5"), half_close=False)
        self.assertEqual(got, b"")

    def test_a_client_that_does_not_read_is_cut_off(self):
        (self.root / "large").write_bytes(bytes(64 * MIB))
        idle = self.server.open_descriptors()
        with self.server.connect() as client:
            client.sendall(get(b"/large"))
            read_exactly(client, 1)
            self.server.wait_for_descriptors(idle)
            self.assertLess(len(read_to_end(client)), 64 * MIB)


class Events(HttpTest):
    @real("curl", "curl")
    def test_curl_sees_events_as_they_come(self):
        with subprocess.Popen(
            ["curl", "-sSN", f"{self.url}/events"], stdout=subprocess.PIPE
        ) as client:
            lines = [client.stdout.readline() for _ in range(4)]
            client.kill()
            client.stdout.close()
        self.assertEqual(lines, [b"data: 1 listening\n", b"\n"] * 2)

    def test_a_listener_that_leaves_is_forgotten_at_once(self):
        with self.server.connect() as stays, self.server.connect() as leaves:
            for client in leaves, stays:
                client.sendall(get(b"/events"))
                self.assertEqual(Reply(client).fields["content-type"], "text/event-stream")
            file = stays.makefile("rb")
            self.assertEqual(file.readline(), b"data: 2 listening\n")
            descriptors = self.server.open_descriptors()
            leaves.close()
            self.server.wait_for_descriptors(descriptors - 1)
            while (line := file.readline()) != b"data: 1 listening\n":
                self.assertIn(line, (b"\n", b"data: 2 listening\n"))


class Draining(HttpTest):
    def test_a_signal_ends_it_while_clients_wait(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with Server("http", "--port", "0") as server:
                with server.connect() as new, server.connect() as events:
                    events.sendall(get(b"/events"))
                    self.assertEqual(Reply(events).status, 200)
                    self.assertEqual(server.stop(number), (0, "", ""))
                    self.assertEqual(read_to_end(new), b"")
                    read_to_end(events)

    def test_an_upload_in_progress_is_finished_and_nobody_new_is_let_in(self):
        with self.server.connect() as client:
            client.sendall(upload(b"", b"Content-Length: 5", b"Expect: 100-continue"))
            self.assertEqual(Reply(client).status, 100)
            os.kill(self.server.pid, signal.SIGTERM)
            self.wait_until_refused()
            client.sendall(b"hello")
            reply = Reply(client)
            self.assertEqual((reply.body, reply.fields["connection"]), (counted(b"hello"), "close"))
            self.assertEqual(read_to_end(client), b"")
        self.assertEqual(self.server.process.wait(SECONDS), 0)

    def wait_until_refused(self):
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            try:
                self.server.connect().close()
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                pass  # It was in the queue of the listener that has just been closed.
        self.fail("it still accepts")


class Load(HttpTest):
    @real("wrk", "wrk")
    def test_wrk_gets_no_errors(self):
        got = subprocess.run(
            ["wrk", "-t1", "-c32", "-d1s", f"{self.url}/a.txt"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
        ).stdout
        print("  wrk: " + re.search(r"\d+ requests in .*", got)[0])
        self.assertNotIn("Socket errors", got)
        self.assertNotIn("Non-2xx", got)

    @real("ab", "apache2-utils")
    def test_ab_gets_no_errors_with_and_without_keep_alive(self):
        for option in ["-k"], []:
            got = subprocess.run(
                ["ab", "-q", *option, "-n", "2000", "-c", "16", f"{self.url}/a.txt"],
                capture_output=True,
                text=True,
                timeout=SECONDS,
            ).stdout
            print("  ab: " + re.search(r"Requests per second: .*", got)[0])
            self.assertRegex(got, r"Complete requests: +2000\n")
            self.assertRegex(got, r"Failed requests: +0\n")
            self.assertNotIn("Non-2xx", got)


class Options(unittest.TestCase):
    def test_a_folder_that_is_none_is_an_error(self):
        wrong = subprocess.run(
            [EXAMPLES / "http", "--folder", "/dev/null"], capture_output=True, timeout=SECONDS
        )
        self.assertEqual((wrong.returncode, b"folder" in wrong.stderr), (2, True))


if __name__ == "__main__":
    unittest.main()
