// Internal: used by the bare loops over a carrier.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <bench/readuntil/workload.hpp>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include <weir/net/read_block.hpp>

namespace weir::bench {

/// recv() and memchr, and a buffer that has room for as much at a time as weir's.
class ReceivingLoop {
 public:
  /// Takes as many records as the workload has. `receive(room, bytes)` is recv(): how many bytes
  /// came; none or less ends it.
  template <class Receive, class Sink>
  void take(const Workload& workload, const Receive& receive, Sink& sink) {
    const char separator = workload.separator()[0];
    for (;;) {
      while (const void* hit =
                 std::memchr(memory_.data() + searched_, separator, end_ - searched_)) {
        const char* const record = memory_.data() + begin_;
        const auto length = static_cast<std::size_t>(static_cast<const char*>(hit) + 1 - record);
        begin_ = searched_ = begin_ + length;
        sink(std::string_view(record, length));
        if (sink.seen.records == workload.expected.records) return;
      }
      std::memmove(memory_.data(), memory_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
      searched_ = end_;
      const ssize_t got = receive(memory_.data() + end_, room_bytes);
      if (got <= 0) return;
      end_ += static_cast<std::size_t>(got);
    }
  }
  void clear() noexcept { begin_ = end_ = searched_ = 0; }

 private:
  static constexpr std::size_t room_bytes = detail::ReadBlock::bytes;

  std::vector<char> memory_ = std::vector<char>(room_bytes + 64 * 1024);
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t searched_ = 0;
};

}  // namespace weir::bench
