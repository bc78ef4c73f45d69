// SPDX-License-Identifier: MIT
// Step 2, the exercise: no more than LIMIT clients at a time. The others wait, unaccepted.
// Wrong on purpose: stops asking for new clients, and never asks again.
//
//     ./echo PORT LIMIT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

/// Ends the program if a system call has failed that has no reason to.
int check(int result, const char* what) {
  if (result < 0) {
    std::perror(what);
    std::exit(1);
  }
  return result;
}

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

/// Takes what has come from a client, and sends it back. False if the client has gone.
bool echo_once(int client) {
  char bytes[4096];
  const ssize_t count = recv(client, bytes, sizeof bytes, 0);
  if (count < 0) return errno == EAGAIN;  // Nothing there after all: not an error.
  if (count == 0) return false;
  // A client that does not read is dropped here, when the kernel takes no more. Step 4 mends that.
  return send(client, bytes, static_cast<std::size_t>(count), MSG_NOSIGNAL) == count;
}

/// One pass: asks the kernel who is ready, and serves those.
void serve_ready(std::vector<pollfd>& watched, std::size_t limit) {
  if (poll(watched.data(), watched.size(), -1) < 0) {
    if (errno != EINTR) check(-1, "poll");
    return;  // A signal woke us. Ask again.
  }
  for (std::size_t i = 1; i < watched.size(); ++i) {  // The listener's turn comes last.
    if (watched[i].revents == 0 || echo_once(watched[i].fd)) continue;
    close(watched[i].fd);
    watched[i].fd = -1;
  }
  std::erase_if(watched, [](const pollfd& entry) { return entry.fd < 0; });

  if (watched.front().revents != 0) {
    const int client = accept4(watched.front().fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client >= 0) watched.push_back({client, POLLIN, 0});
    if (watched.size() - 1 == limit) watched.front().events = 0;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int listener = listen_on(argc > 1 ? std::atoi(argv[1]) : 0);
  std::vector<pollfd> watched{{listener, POLLIN, 0}};  // The listener comes first.
  const std::size_t limit = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1000;
  for (;;) serve_ready(watched, limit);
}
