// Internal: used by weir's side of the readuntil benchmark.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <weir/reactor/sim/counting_kernel.hpp>

namespace weir::bench {

/// All of weir but the operating system: its descriptors are always readable, and recv() is one
/// memcpy of the next chunk. What is measured over it is what a server has between two calls of the
/// kernel: the loop, the transport, the protocol, the reader.
class MemoryKernel : public CountingKernel {
 public:
  MemoryKernel() : CountingKernel(Kernel::posix()) {}

  /// The first descriptor; the next ones follow.
  static constexpr int first_fd = 3;

  /// From now on descriptors [first_fd, first_fd + count) receive these chunks, each from the
  /// first one.
  void serve(std::span<const std::string_view> chunks, std::size_t count = 1);
  std::uint64_t received_bytes() const noexcept { return received_bytes_; }
  std::uint64_t received_chunks() const noexcept { return received_chunks_; }

  IoResult recv(int fd, std::span<const iovec> buffers) override;
  int shutdown(int, int) override { return 0; }
  int close(int) override { return 0; }
  int set_nonblocking(int) override { return 0; }
  int getsockopt(int fd, int level, int option, void* value, std::uint32_t* length) override;
  int setsockopt(int, int, int, const void*, std::uint32_t) override { return 0; }
  int getsockname(int fd, sockaddr* address, std::uint32_t* length) override;
  int getpeername(int fd, sockaddr* address, std::uint32_t* length) override;
  std::unique_ptr<Poller> make_poller() override;

 private:
  class MemoryPoller;

  struct Stream {
    std::size_t next_chunk = 0;
    std::size_t taken = 0;  // Of that chunk: it may be larger than the room.
  };

  std::span<const std::string_view> chunks_;
  std::vector<Stream> streams_;
  std::uint64_t received_bytes_ = 0;
  std::uint64_t received_chunks_ = 0;
};

}  // namespace weir::bench
