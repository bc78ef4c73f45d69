// SPDX-License-Identifier: MIT
//
// std::getline into a reused string, from a stream buffer that holds one chunk at a time.
#include <bench/readuntil/sides.hpp>
#include <cstring>
#include <istream>
#include <memory>
#include <streambuf>
#include <string>
#include <vector>

namespace weir::bench {
namespace {

/// Chunk by chunk, each by one copy.
class Chunks final : public std::streambuf {
 public:
  explicit Chunks(const Workload& workload) : chunks_(workload.chunks) {}

 private:
  int_type underflow() override {
    if (next_ == chunks_.size()) return traits_type::eof();
    const std::string_view chunk = chunks_[next_++];
    if (memory_.size() < chunk.size()) memory_.resize(chunk.size());
    std::memcpy(memory_.data(), chunk.data(), chunk.size());
    setg(memory_.data(), memory_.data(), memory_.data() + chunk.size());
    return traits_type::to_int_type(memory_[0]);
  }

  const std::vector<std::string_view>& chunks_;
  std::size_t next_ = 0;
  std::vector<char> memory_ = std::vector<char>(256 * 1024);
};

struct Getline {
  template <class Sink>
  void operator()(const Workload& workload, Sink& sink) {
    Chunks chunks(workload);
    std::istream stream(&chunks);
    while (std::getline(stream, line, workload.separator()[0])) {
      keep(line.data());
      sink(line, workload.separator());
    }
  }
  std::string line;
};

}  // namespace

Side getline_side() {
  return std::make_unique<SimpleContestant<Getline>>("std::getline", one_byte);
}

}  // namespace weir::bench
