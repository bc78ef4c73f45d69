# SPDX-License-Identifier: MIT
"""docs/examples/hello. Its port is 8888, as in the documents; if that is taken it must say so."""

import signal
import socket
import subprocess
import unittest

from servers import EXAMPLES, SECONDS


def port_is_free() -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 8888))
        except OSError:
            return False
    return True


class Hello(unittest.TestCase):
    def test_it_greets_who_tells_a_name(self):
        free = port_is_free()
        process = subprocess.Popen([EXAMPLES / "hello"], stderr=subprocess.PIPE, text=True)
        try:
            if not free:
                _, err = process.communicate(timeout=SECONDS)
                self.assertIn("address already in use", err)
                return
            client = None
            while client is None:
                self.assertIsNone(process.poll(), "it ended early")
                try:
                    client = socket.create_connection(("127.0.0.1", 8888), SECONDS)
                except ConnectionRefusedError:
                    continue  # Not listening yet.
            with client:
                client.sendall(b"Ada\n")
                self.assertEqual(client.makefile("rb").read(), b"hello Ada\n")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(SECONDS), 130)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


if __name__ == "__main__":
    unittest.main()
