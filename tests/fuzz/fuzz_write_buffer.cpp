// SPDX-License-Identifier: MIT
#include <cstdint>
#include <new>

#include <weir/net/write_buffer.hpp>

#include <tests/fuzz/choices.hpp>
#include <tests/fuzz/targets.hpp>

namespace weir::fuzz {
namespace {

using detail::WriteBuffer;

/// Sizes near those at which it makes room, and any others.
std::size_t some_size(Choices& choices) {
  constexpr std::size_t common[] = {0, 1, 255, 256, 257, 511, 512, 513, 1024, 4096, 4097};
  const std::size_t chosen = choices.roll(16);
  return chosen < std::size(common) ? common[chosen] : choices.roll(6000);
}

/// No two neighbours alike, and no period that divides a capacity.
std::string next_bytes(std::size_t size, unsigned& counter) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(counter++ % 251);
  return bytes;
}

void append_too_much(WriteBuffer& buffer) {
  const volatile std::size_t claimed = PTRDIFF_MAX;
  bool refused = buffer.empty();  // Then there is room for the promise, if not for the bytes.
  try {
    if (!refused) buffer.append({"x", claimed});
  } catch (const std::bad_alloc&) {
    refused = true;
  }
  require(refused, "append() refuses what cannot be");
}

}  // namespace

void write_buffer(std::string_view input) {
  constexpr std::size_t most_bytes = 64 * 1024;
  Choices choices(input);
  WriteBuffer buffer;
  std::string model;
  unsigned counter = 0;
  while (!choices.empty()) {
    switch (choices.roll(8)) {
      case 0:
      case 1:
      case 2: {
        const std::string more = next_bytes(some_size(choices), counter);
        if (model.size() + more.size() > most_bytes) break;
        buffer.append(more);
        model += more;
        break;
      }
      case 3:
      case 4: {
        const std::size_t bytes = std::min(some_size(choices), model.size());
        buffer.consume(bytes);
        model.erase(0, bytes);
        break;
      }
      case 5:
        buffer.consume(model.size());
        model.clear();
        break;
      case 6: buffer.reserve(some_size(choices)); break;
      default:
        if (choices.one_in(4)) append_too_much(buffer);
        if (!choices.one_in(16)) break;
        buffer.clear();
        model.clear();
    }
    require(buffer.size() == model.size(), "the size is the model's");
    require(buffer.empty() == model.empty(), "empty() is the model's");
    require(buffer.bytes() == model, "the bytes are the model's");
  }
}

}  // namespace weir::fuzz
