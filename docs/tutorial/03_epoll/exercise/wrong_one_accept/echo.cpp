// SPDX-License-Identifier: MIT
// Step 3, the exercise: the same server, when the loop is edge-triggered. See its loop.hpp.
// Wrong on purpose: the listener is drained of one client only.
//
//     ./echo [PORT]
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "loop.hpp"

namespace {

/// A socket that clients can connect to; accept4() on it never waits. Port 0 lets the kernel
/// choose.
int listen_on(int port) {
  const int kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const int listener = check(socket(AF_INET, kind, 0), "socket");
  const int on = 1;
  check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "setsockopt");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  socklen_t size = sizeof address;
  check(bind(listener, reinterpret_cast<sockaddr*>(&address), size), "bind");
  check(listen(listener, 128), "listen");
  check(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  std::printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return listener;
}

/// Takes all that has come from a client, and sends it back. False if the client has gone.
bool echo_all(int client) {
  char bytes[4096];
  for (;;) {
    const ssize_t count = recv(client, bytes, sizeof bytes, 0);
    if (count < 0) return errno == EAGAIN;  // All taken: we shall be told of what comes next.
    if (count == 0) return false;
    if (send(client, bytes, static_cast<std::size_t>(count), MSG_NOSIGNAL) != count) return false;
  }
}

void client_ready(EventLoop& loop, int client) {
  if (echo_all(client)) return;
  loop.remove_reader(client);
  close(client);
}

void listener_ready(EventLoop& loop, int listener) {
  const int client = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client < 0) return;  // It gave up before we came.
  loop.add_reader(client, [&loop, client] { client_ready(loop, client); });
}

}  // namespace

int main(int argc, char** argv) {
  EventLoop loop;
  const int listener = listen_on(argc > 1 ? std::atoi(argv[1]) : 0);
  loop.add_reader(listener, [&loop, listener] { listener_ready(loop, listener); });
  loop.run_forever();
}
