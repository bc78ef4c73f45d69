// SPDX-License-Identifier: MIT
#include <bench/readuntil/memory_kernel.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace weir::bench {

/// Level-triggered, like all of them: whoever wants to read can, as long as there are chunks.
class MemoryKernel::MemoryPoller final : public Poller {
 public:
  explicit MemoryPoller(MemoryKernel& kernel) : kernel_(kernel) {}
  const char* name() const noexcept override { return "memory"; }
  int set(int fd, std::uint32_t generation, Interest interest) override {
    const auto index = static_cast<std::size_t>(fd - first_fd);
    if (index >= watched_.size()) watched_.resize(index + 1);
    watched_[index] = {fd, generation, wants_read(interest), wants_write(interest)};
    return 0;
  }
  int wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    const std::size_t before = ready.size();
    for (std::size_t i = 0; i < watched_.size(); ++i) {
      const bool more =
          i < kernel_.streams_.size() && kernel_.streams_[i].next_chunk < kernel_.chunks_.size();
      if (watched_[i].readable && more) {
        ready.push_back({watched_[i].fd, watched_[i].generation, true, false});
      }
    }
    // Nobody will ever wake a loop that waits for nothing.
    return ready.size() == before && !timeout ? EDEADLK : 0;
  }
  void wake() noexcept override {}

 private:
  MemoryKernel& kernel_;
  std::vector<Ready> watched_;
};

void MemoryKernel::serve(std::span<const std::string_view> chunks, std::size_t count) {
  chunks_ = chunks;
  streams_.assign(count, {});
}

IoResult MemoryKernel::recv(int fd, std::span<const iovec> buffers) {
  Stream& stream = streams_[static_cast<std::size_t>(fd - first_fd)];
  if (stream.next_chunk == chunks_.size()) return {0, EAGAIN};
  const std::string_view chunk = chunks_[stream.next_chunk].substr(stream.taken);
  const std::size_t bytes = std::min(chunk.size(), buffers.front().iov_len);
  std::memcpy(buffers.front().iov_base, chunk.data(), bytes);
  stream.taken += bytes;
  if (bytes == chunk.size()) stream = {stream.next_chunk + 1, 0};
  received_bytes_ += bytes;
  ++received_chunks_;
  return {static_cast<std::ptrdiff_t>(bytes), 0};
}

int MemoryKernel::getsockopt(int, int, int option, void* value, std::uint32_t* length) {
  const int answer = option == SO_TYPE ? SOCK_STREAM : option == SO_DOMAIN ? AF_UNIX : 0;
  std::memcpy(value, &answer, std::min<std::size_t>(*length, sizeof answer));
  return 0;
}

int MemoryKernel::getsockname(int, sockaddr* address, std::uint32_t* length) {
  address->sa_family = AF_UNIX;
  *length = sizeof address->sa_family;
  return 0;
}

int MemoryKernel::getpeername(int fd, sockaddr* address, std::uint32_t* length) {
  return getsockname(fd, address, length);
}

std::unique_ptr<Poller> MemoryKernel::make_poller() {
  return std::make_unique<MemoryPoller>(*this);
}

}  // namespace weir::bench
