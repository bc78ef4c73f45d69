// SPDX-License-Identifier: MIT
//
// How often a byte is loaded on hostile input: counts.py runs this under valgrind's lackey, which
// writes down every load, and counts those from the memory that is printed here, between a store
// to the first mark and one to the second.
#include <bench/readuntil/traps.hpp>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <weir/streams/streams.hpp>

namespace {

using weir::bench::Trap;

constexpr std::size_t record_bytes = 16 * 1024;

volatile char begin_mark = 0;
volatile char end_mark = 0;

template <class T>
std::size_t address_of(const volatile T* at) {
  return reinterpret_cast<std::size_t>(at);
}

void show(volatile char& mark) { mark = 1; }

/// The readers live on: no memory may be used for two of them.
weir::Coro<> read_all(std::vector<weir::StreamReader>* readers, const std::vector<Trap>* traps) {
  for (const Trap& trap : *traps) {
    const weir::StreamReader reader;
    readers->push_back(reader);
    reader.feed_data(trap.record(record_bytes));
    const std::string_view buffered = reader.state().buffered();
    std::printf("%s, %s\t%zu\t%zu\n", trap.separator_name, trap.name, address_of(buffered.data()),
                buffered.size());
    show(begin_mark);
    std::size_t taken = 0;
    while (taken < record_bytes) {
      const std::string_view record = co_await reader.readuntil_view(trap.separator);
      taken += record.size();
    }
    show(end_mark);
  }
}

}  // namespace

int main() {
  std::printf("marks\t%zu\t%zu\n", address_of(&begin_mark), address_of(&end_mark));
  const std::vector<Trap> traps = weir::bench::all_traps();
  std::vector<weir::StreamReader> readers;
  weir::EventLoop loop;
  loop.run_until_complete(read_all(&readers, &traps));
  loop.close();
  return 0;
}
