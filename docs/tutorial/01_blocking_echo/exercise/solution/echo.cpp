// SPDX-License-Identifier: MIT
// Step 1, the exercise: when the client has ended, say how many lines it has sent.
//
//     ./echo [PORT]
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

/// Ends the program if a system call has failed that has no reason to.
int check(int result, const char* what) {
  if (result < 0) {
    std::perror(what);
    std::exit(1);
  }
  return result;
}

/// A socket that clients can connect to. Port 0 lets the kernel choose.
int listen_on(int port) {
  const int listener = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
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

/// Sends all of `data`: one send() may take only a part of it. False if the client has gone.
bool send_all(int client, std::string_view data) {
  while (!data.empty()) {
    const ssize_t sent = send(client, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent < 0) return false;
    data.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// Sends back what comes, until the client ends, and says how many lines that was.
void serve(int client) {
  char bytes[4096];
  std::ptrdiff_t lines = 0;
  for (;;) {
    const ssize_t count = recv(client, bytes, sizeof bytes, 0);
    if (count < 0) return;  // The connection is broken: there is nobody to tell.
    if (count == 0) break;  // The client sends no more. It still listens.
    lines += std::count(bytes, bytes + count, '\n');
    if (!send_all(client, {bytes, static_cast<std::size_t>(count)})) return;
  }
  send_all(client, std::to_string(lines) + " lines\n");
}

}  // namespace

int main(int argc, char** argv) {
  const int listener = listen_on(argc > 1 ? std::atoi(argv[1]) : 0);
  for (;;) {
    const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;  // A client that gave up before we came.
    serve(client);
    close(client);
  }
}
