// Internal: used by the bare loops of the readuntil benchmark.
// SPDX-License-Identifier: MIT
#pragma once

#include <bench/readuntil/workload.hpp>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

namespace weir::bench {

/// What one writes by hand: one buffer, chunks in at the back, records out at the front. What is
/// left of a record moves to the beginning when the room behind it is used up.
class BareBuffer {
 public:
  /// The one copy that every side makes of what arrives.
  void add(std::string_view chunk) {
    if (begin_ == end_) begin_ = end_ = 0;
    if (memory_.size() - end_ < chunk.size()) make_room(chunk.size());
    std::memcpy(memory_.data() + end_, chunk.data(), chunk.size());
    end_ += chunk.size();
  }
  void consume(std::size_t bytes) noexcept { begin_ += bytes; }
  void clear() noexcept { begin_ = end_ = 0; }

  const char* begin() const noexcept { return memory_.data() + begin_; }
  const char* end() const noexcept { return memory_.data() + end_; }
  std::size_t size() const noexcept { return end_ - begin_; }

 private:
  void make_room(std::size_t bytes) {
    std::memmove(memory_.data(), memory_.data() + begin_, size());
    end_ -= begin_;
    begin_ = 0;
    if (memory_.size() - end_ < bytes) memory_.resize(2 * (end_ + bytes));
  }

  std::vector<char> memory_ = std::vector<char>(256 * 1024);
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// Feeds the chunks, and after each takes the records that are there. `find(begin, end)`: where
/// the separator starts, or end. `take(record)` does with a record what this side does. One that
/// does not remember how far it has searched begins at the record again with every chunk.
template <bool remembers = true, class Find, class Take>
void take_from_chunks(BareBuffer& buffer, const Workload& workload, const Find& find,
                      const Take& take) {
  const std::size_t separator = workload.separator().size();
  std::size_t searched = 0;  // Of what is in the buffer: no separator starts before that.
  for (const std::string_view chunk : workload.chunks) {
    buffer.add(chunk);
    const char* record = buffer.begin();
    const char* const end = buffer.end();
    const char* from = record + searched;
    for (;;) {
      const char* const start = find(from, end);
      if (start == end) break;
      const char* const next = start + separator;
      take(std::string_view(record, static_cast<std::size_t>(next - record)));
      record = from = next;
    }
    buffer.consume(static_cast<std::size_t>(record - buffer.begin()));
    if (remembers) searched = buffer.size() >= separator ? buffer.size() + 1 - separator : 0;
  }
}

}  // namespace weir::bench
