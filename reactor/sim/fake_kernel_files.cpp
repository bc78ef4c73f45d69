// SPDX-License-Identifier: MIT
#include <weir/reactor/sim/fake_kernel.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <weir/reactor/sim/fake_socket.hpp>

// Regular files: fake_kernel.cpp has all else.

namespace weir {
namespace {

/// What the file has from `offset` on, at most `bytes` of it.
std::string_view piece_of(std::string_view contents, std::int64_t offset, std::size_t bytes) {
  const auto begin = std::min(static_cast<std::size_t>(offset), contents.size());
  return contents.substr(begin, bytes);
}

}  // namespace

int FakeKernel::add_file(std::string contents) {
  const SocketPtr file = make_socket(AF_UNSPEC);
  file->file = std::move(contents);
  return install(file);
}

IoResult FakeKernel::sendfile(int socket, int file, std::int64_t offset, std::size_t bytes) {
  Socket* to = nullptr;
  if (const auto answer = enter(Call::sendfile, socket, to)) return *answer;
  const Socket* from = find(file);
  if (from == nullptr) {
    note_misuse(Call::sendfile, file, "is not open");
    return {0, EBADF};
  }
  if (!from->file || offset < 0) return {0, EINVAL};
  const std::string_view piece = piece_of(*from->file, offset, bytes);
  if (piece.empty()) return {0, 0};
  const iovec buffer{const_cast<char*>(piece.data()), piece.size()};
  return to->send(std::span(&buffer, 1), max_send_bytes_);
}

IoResult FakeKernel::pread(int file, std::span<char> room, std::int64_t offset) {
  Socket* from = nullptr;
  if (const auto answer = enter(Call::pread, file, from)) return *answer;
  if (!from->file) return {0, ESPIPE};
  if (offset < 0) return {0, EINVAL};
  const std::string_view piece = piece_of(*from->file, offset, room.size());
  if (!piece.empty()) std::memcpy(room.data(), piece.data(), piece.size());
  return {static_cast<std::ptrdiff_t>(piece.size()), 0};
}

}  // namespace weir
