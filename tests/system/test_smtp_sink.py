# SPDX-License-Identifier: MIT
"""docs/examples/smtp_sink as swaks and smtplib see it, and as those see it who smuggle mail."""

import os
import pathlib
import signal
import smtplib
import socket
import subprocess
import tempfile
import unittest

from servers import SECONDS, Server, read_exactly, read_to_end, real, sanitized

MIB = 1 << 20
SIZE = 100_000
ENVELOPE = b"EHLO me\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
EVIL = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nevil\r\n.\r\n"


class SmtpTest(unittest.TestCase):
    OPTIONS = ("--size", str(SIZE))

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.server = self.enterContext(
            Server("smtp_sink", "--port", "0", "--folder", str(self.folder), *self.OPTIONS)
        )

    def mails(self) -> list[bytes]:
        """What was written, in order."""
        count = len(list(self.folder.iterdir()))
        return [(self.folder / f"{n + 1}.eml").read_bytes() for n in range(count)]

    def codes(self, *pieces: bytes) -> list[int]:
        """The codes of all answers to what is sent, in pieces, and then QUIT."""
        with self.server.connect() as client:
            for piece in pieces:
                client.sendall(piece)
            client.sendall(b"QUIT\r\n")
            lines = read_to_end(client).decode().splitlines()
        for line in lines:
            self.assertRegex(line, r"^\d{3}[ -]")
        return [int(line[:3]) for line in lines if line[3] == " "]


    def read_up_to(self, client, end: bytes) -> None:
        got = b""
        while not got.endswith(end):
            got += read_exactly(client, 1)


class Mails(SmtpTest):
    @real("swaks", "swaks")
    def test_swaks_delivers(self):
        body = "one\n.\n..two dots\nthree\n"
        with tempfile.NamedTemporaryFile("w") as data:
            data.write(f"Subject: hello\n\n{body}")
            data.flush()
            for option in [], ["--pipeline"]:
                got = subprocess.run(
                    ["swaks", "--server", f"127.0.0.1:{self.server.port}", *option,
                     "--from", "a@example.org", "--to", "b@example.org,c@example.org",
                     "--data", f"@{data.name}"],
                    capture_output=True,
                    text=True,
                    timeout=SECONDS,
                )  # fmt: skip
                self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
        expected = b"Subject: hello\r\n\r\n" + body.replace("\n", "\r\n").encode()
        for mail in self.mails():
            self.assertEqual(mail.rstrip(b"\r\n"), expected.rstrip(b"\r\n"))
        self.assertEqual(len(self.mails()), 2)

    def test_smtplib_delivers_and_is_told_the_size(self):
        with smtplib.SMTP("127.0.0.1", self.server.port, timeout=SECONDS) as client:
            for number in range(3):
                client.sendmail("a@example.org", ["b@example.org"], f"{number}\n.\n.dot\n")
            self.assertEqual(client.esmtp_features["size"], str(SIZE))
        self.assertEqual(self.mails(), [b"%d\r\n.\r\n.dot\r\n" % n for n in range(3)])

    def test_a_session_in_one_packet_is_answered_in_order(self):
        mail = b"text\r\n.\r\n"
        again = ENVELOPE.partition(b"\r\n")[2]
        got = self.codes(ENVELOPE + mail + b"NOOP\r\n" + again + mail)
        self.assertEqual(got, [220, 250, 250, 250, 354, 250, 250, 250, 250, 354, 250, 221])
        self.assertEqual(self.mails(), [b"text\r\n"] * 2)

    def test_a_mail_is_understood_however_it_was_cut(self):
        self.codes(*(bytes([byte]) for byte in ENVELOPE + b"..\r\n\r\nx\r\n.\r\n"))
        self.assertEqual(self.mails(), [b".\r\n\r\nx\r\n"])

    def test_a_mail_may_be_empty(self):
        self.assertEqual(self.codes(ENVELOPE + b".\r\n")[-2:], [250, 221])
        self.assertEqual(self.mails(), [b""])

    def test_dots_are_unstuffed_at_the_beginning_of_lines_only(self):
        self.codes(ENVELOPE + b"..\r\n...a.b\r\n.c\r\nd.\r\n..\r\n.\r\n")
        self.assertEqual(self.mails(), [b".\r\n..a.b\r\nc\r\nd.\r\n.\r\n"])

    def test_it_says_a_line_for_each_mail(self):
        self.codes(ENVELOPE + b"text\r\n.\r\n")
        _, out, _ = self.server.stop(signal.SIGTERM)
        self.assertEqual(out, "mail 1 from <a@example.org> to <b@example.org>: 6 bytes\n")


class Smuggling(SmtpTest):
    def test_nothing_but_crlf_dot_crlf_is_an_end(self):
        for end in (
            b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n\n.\r\n",
            b"\r\n.\0\r\n", b"\r\n. \r\n", b"\r\r\n.\n", b"\r\n.\r\r\n", b"\n.\r",
        ):  # fmt: skip
            with self.subTest(end=end):
                before = len(self.mails())
                got = self.codes(ENVELOPE + b"text" + end + EVIL)
                # One mail, and one answer to it, whatever that is: nobody obeyed what was in it.
                self.assertEqual(got[:5] + got[6:], [220, 250, 250, 250, 354, 221])
                refused = got[5] == 550
                self.assertEqual(len(self.mails()) - before, 0 if refused else 1)
                self.assertEqual(refused, b"\n" in end.replace(b"\r\n", b"")
                                 or b"\r" in end.replace(b"\r\n", b""))  # fmt: skip

    def test_half_a_line_end_anywhere_in_a_mail_refuses_it(self):
        for text in b"a\nb\r\n", b"a\rb\r\n", b"\n\r\n", b"a\r\r\n", b"a\n\r\n", b".\r", b"\r":
            with self.subTest(text=text):
                self.assertEqual(self.codes(ENVELOPE + text + b"\r\n.\r\n")[-2:], [550, 221])
        self.assertEqual(self.mails(), [])

    def test_half_a_line_end_in_a_command_refuses_it(self):
        for command in b"NOOP\nNOOP", b"NOOP\rNOOP", b"NOOP\n", b"\rNOOP", b"NO\0OP":
            with self.subTest(command=command):
                self.assertEqual(self.codes(command + b"\r\n"), [220, 500, 221])

    def test_a_mail_that_ends_with_its_connection_is_none(self):
        with self.server.connect() as client:
            client.sendall(ENVELOPE + b"text\r\n.\r")
            client.shutdown(socket.SHUT_WR)
            self.assertIn(b"354", read_to_end(client))
        self.assertEqual(self.mails(), [])


class Limits(SmtpTest):
    def test_a_mail_of_the_limit_is_taken_and_one_byte_more_is_not(self):
        for size, code in (SIZE, 250), (SIZE + 1, 552):
            text = b"x" * (size - 2) + b"\r\n"
            self.assertEqual(self.codes(ENVELOPE + text + b".\r\n")[-2:], [code, 221])
        self.assertEqual([len(mail) for mail in self.mails()], [SIZE])

    def test_after_a_mail_that_is_too_long_the_next_one_is_taken(self):
        before = self.server.resident_bytes()
        long = b"long\n.\n" * (16 * MIB // 7) + b"\r\n.\r\n"
        again = ENVELOPE.partition(b"\r\n")[2]
        got = self.codes(ENVELOPE, long, again + b"text\r\n.\r\n")
        self.assertEqual(got, [220, 250, 250, 250, 354, 552, 250, 250, 354, 250, 221])
        self.assertEqual(self.mails(), [b"text\r\n"])
        if not sanitized():
            self.assertLess(self.server.resident_bytes() - before, 2 * MIB)

    def test_a_size_that_is_announced_is_refused_before_it_comes(self):
        for size, code in (SIZE, 250), (SIZE + 1, 552), (10**30, 552):
            got = self.codes(b"EHLO me\r\nMAIL FROM:<a@b> BODY=8BITMIME SIZE=%d\r\n" % size)
            self.assertEqual(got, [220, 250, code, 221])

    def test_a_command_without_an_end_is_not_kept(self):
        before = self.server.resident_bytes()
        got = self.codes(b"NOOP " + b"x" * 8 * MIB + b"\r\nNOOP\r\n")
        self.assertEqual(got, [220, 500, 250, 221])
        if not sanitized():
            self.assertLess(self.server.resident_bytes() - before, 2 * MIB)

    def test_the_hundred_and_first_recipient_is_too_many(self):
        got = self.codes(b"EHLO me\r\nMAIL FROM:<>\r\n" + b"RCPT TO:<b@c>\r\n" * 101)
        self.assertEqual(got, [220, 250, 250] + [250] * 100 + [452, 221])


class Commands(SmtpTest):
    def test_commands_out_of_order_are_refused(self):
        for commands, expected in (
            (b"MAIL FROM:<a@b>\r\n", [503]),
            (b"HELO me\r\nRCPT TO:<a@b>\r\nDATA\r\n", [250, 503, 503]),
            (b"HELO me\r\nMAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\nDATA\r\n", [250, 250, 503, 503]),
            (b"HELO me\r\nMAIL FROM:<a@b>\r\nRSET\r\nRCPT TO:<a@b>\r\n", [250, 250, 250, 503]),
            (b"HELO me\r\nMAIL FROM:<a@b>\r\nEHLO me\r\nRCPT TO:<a@b>\r\n", [250, 250, 250, 503]),
        ):
            with self.subTest(commands=commands):
                self.assertEqual(self.codes(commands), [220, *expected, 221])

    def test_what_nobody_knows_or_is_written_wrongly_is_refused(self):
        for command, code in (
            (b"", 500), (b"bogus", 500), (b"GET / HTTP/1.1", 500), (b"EHLO", 501),
            (b"MAIL a@b", 501), (b"MAIL FROM:a@b", 501), (b"MAIL FROM:<a@b", 501),
            (b"MAIL FROM:<a b>", 501), (b"mail from:<a@b>", 250), (b"noop x", 250),
            (b"VRFY a", 252),
        ):  # fmt: skip
            with self.subTest(command=command):
                self.assertEqual(self.codes(b"HELO me\r\n" + command + b"\r\n")[2], code)


class Patience(SmtpTest):
    OPTIONS = ("--patience", "200")

    def test_a_client_that_is_silent_is_told_so(self):
        for begun in b"", b"NO", ENVELOPE + b"text\r\n":
            with self.subTest(begun=begun), self.server.connect() as client:
                client.sendall(begun)
                self.assertTrue(read_to_end(client).endswith(b"\r\n421 4.4.2 too slow\r\n"))
        self.assertEqual(self.mails(), [])


class Draining(SmtpTest):
    def test_a_signal_ends_it_while_clients_wait(self):
        with self.server.connect() as client:
            client.sendall(b"EHLO me\r\n")
            self.read_up_to(client, b"250 SIZE %d\r\n" % SIZE)
            self.assertEqual(self.server.stop(signal.SIGTERM), (0, "", ""))
            self.assertEqual(read_to_end(client), b"421 4.3.2 no more today\r\n")

    def test_a_mail_that_has_begun_may_be_finished(self):
        with self.server.connect() as client, self.server.connect() as idle:
            client.sendall(ENVELOPE + b"te")
            self.read_up_to(client, b"\r\n354 end with <CR><LF>.<CR><LF>\r\n")
            os.kill(self.server.pid, signal.SIGTERM)
            self.assertTrue(read_to_end(idle).endswith(b"\r\n421 4.3.2 no more today\r\n"))
            client.sendall(b"xt\r\n.\r\n")
            self.assertTrue(read_to_end(client).endswith(b"\r\n421 4.3.2 no more today\r\n"))
        self.assertEqual(self.server.process.wait(SECONDS), 0)
        self.assertEqual(self.mails(), [b"text\r\n"])


class Options(unittest.TestCase):
    def test_a_folder_that_is_none_is_told_to_the_client(self):
        with Server("smtp_sink", "--port", "0", "--folder", "/dev/null") as server:
            with server.connect() as client:
                client.sendall(ENVELOPE + b"text\r\n.\r\nQUIT\r\n")
                self.assertIn(b"\r\n452 ", read_to_end(client))


if __name__ == "__main__":
    unittest.main()
