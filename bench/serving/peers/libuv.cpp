// SPDX-License-Identifier: MIT
//
// Echo on libuv: one receive buffer for all, sent at once where the socket has room; only what is
// left over is copied and queued.
#include <netinet/in.h>
#include <uv.h>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <vector>

namespace {

struct Write {
  uv_write_t request;
  std::vector<char> rest;
};

void allocate(uv_handle_t*, std::size_t, uv_buf_t* buffer) {
  static std::vector<char> shared(256 * 1024);
  *buffer = uv_buf_init(shared.data(), static_cast<unsigned>(shared.size()));
}

void ended(uv_handle_t* client) { delete reinterpret_cast<uv_tcp_t*>(client); }

void close(uv_stream_t* client) {
  auto* const handle = reinterpret_cast<uv_handle_t*>(client);
  if (uv_is_closing(handle) == 0) uv_close(handle, ended);
}

void received(uv_stream_t* client, ssize_t got, const uv_buf_t* buffer);

/// The client reads again: so do we.
void written(uv_write_t* request, int status) {
  auto* const write = static_cast<Write*>(request->data);
  uv_stream_t* const client = request->handle;
  delete write;
  if (status != 0) return close(client);
  uv_read_start(client, allocate, received);
}

void received(uv_stream_t* client, ssize_t got, const uv_buf_t* buffer) {
  if (got == 0) return;
  if (got < 0) return close(client);
  uv_buf_t answer = uv_buf_init(buffer->base, static_cast<unsigned>(got));
  int sent = uv_try_write(client, &answer, 1);
  if (sent == UV_EAGAIN) sent = 0;
  if (sent < 0) return close(client);
  if (sent == got) return;
  auto* const write = new Write{{}, {buffer->base + sent, buffer->base + got}};
  write->request.data = write;
  answer = uv_buf_init(write->rest.data(), static_cast<unsigned>(write->rest.size()));
  uv_read_stop(client);
  uv_write(&write->request, client, &answer, 1, written);
}

void accept(uv_stream_t* listener, int status) {
  if (status != 0) return;
  auto* const client = new uv_tcp_t;
  uv_tcp_init(listener->loop, client);
  auto* const stream = reinterpret_cast<uv_stream_t*>(client);
  if (uv_accept(listener, stream) != 0) return close(stream);
  uv_tcp_nodelay(client, 1);
  uv_read_start(stream, allocate, received);
}

}  // namespace

int main() {
  uv_loop_t* const loop = uv_default_loop();
  uv_tcp_t listener;
  uv_tcp_init(loop, &listener);
  sockaddr_in address;
  uv_ip4_addr("127.0.0.1", 0, &address);
  uv_tcp_bind(&listener, reinterpret_cast<const sockaddr*>(&address), 0);
  uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 1024, accept);
  int length = sizeof address;
  uv_tcp_getsockname(&listener, reinterpret_cast<sockaddr*>(&address), &length);
  std::printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return uv_run(loop, UV_RUN_DEFAULT);
}
