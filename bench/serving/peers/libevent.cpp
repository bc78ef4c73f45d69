// SPDX-License-Identifier: MIT
//
// Echo and lines on libevent's bufferevents.
//
//     libevent echo     moves the input buffer to the output, without a copy
//     libevent lines    evbuffer_readln, bufferevent_write
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

void echo(bufferevent* client, void*) {
  evbuffer_add_buffer(bufferevent_get_output(client), bufferevent_get_input(client));
}

void lines(bufferevent* client, void*) {
  evbuffer* const input = bufferevent_get_input(client);
  evbuffer* const output = bufferevent_get_output(client);
  std::size_t bytes = 0;
  while (char* const line = evbuffer_readln(input, &bytes, EVBUFFER_EOL_LF)) {
    line[bytes] = '\n';  // In place of the NUL that readln put there.
    evbuffer_add(output, line, bytes + 1);
    std::free(line);
  }
}

void ended(bufferevent* client, short, void*) { bufferevent_free(client); }

void accepted(evconnlistener* listener, evutil_socket_t fd, sockaddr*, int, void* read) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  bufferevent* const client =
      bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
  bufferevent_setcb(client, *static_cast<bufferevent_data_cb*>(read), nullptr, ended, nullptr);
  bufferevent_set_max_single_read(client, 256 * 1024);
  bufferevent_set_max_single_write(client, 256 * 1024);
  bufferevent_enable(client, EV_READ | EV_WRITE);
}

}  // namespace

int main(int argc, char** argv) {
  bufferevent_data_cb read = argc > 1 && std::string_view(argv[1]) == "lines" ? lines : echo;
  event_base* const base = event_base_new();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  evconnlistener* const listener = evconnlistener_new_bind(
      base, accepted, &read, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 1024, any, sizeof address);
  socklen_t length = sizeof address;
  ::getsockname(evconnlistener_get_fd(listener), any, &length);
  std::printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return event_base_dispatch(base);
}
