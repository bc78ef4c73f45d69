// Internal: used by the fuzzer, and by the test that replays what it has kept.
// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace weir::fuzz {

// Each takes any bytes, does with them what its name says, and aborts if the result is not what an
// obvious twin of the code makes of them. Nothing is left over afterwards.

void reader(std::string_view input);  // Calls of StreamReader: tests/streams/reader_model.hpp.
void write_buffer(std::string_view input);  // WriteBuffer: a string.
void address(std::string_view input);       // Endpoint, Port, unix paths: parsers written plainly.
void separator(std::string_view input);     // find_separator(), Separators: two loops.
void timer_heap(std::string_view input);    // TimerHeap: a sorted list.
void transport(std::string_view input);     // SocketTransport: both sides, and the order of calls.
void resp(std::string_view input);  // docs/examples/resp_kv.cpp: the protocol, from a string.

struct Target {
  std::string_view name;
  void (*run)(std::string_view input);
};

inline constexpr Target targets[] = {
    {"reader", reader},       {"write_buffer", write_buffer}, {"address", address},
    {"separator", separator}, {"timer_heap", timer_heap},     {"transport", transport},
    {"resp", resp},
};

}  // namespace weir::fuzz
