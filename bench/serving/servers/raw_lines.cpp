// SPDX-License-Identifier: MIT
//
// The floor of the line servers: finds each line, as a server has to that would answer it, and
// sends the answers to all that arrived together at once. --each sends every answer by itself, as
// servers do whose library gathers nothing.
#include <bench/serving/servers/raw_server.hpp>
#include <cstring>
#include <string>
#include <string_view>

namespace {

using weir::bench::RawConnection;

/// Calls `answer(line)` for every whole line; keeps the beginning of the next.
template <class Line>
void for_each_line(RawConnection& connection, const char* data, std::size_t bytes,
                   const Line& answer) {
  const char* const end = data + bytes;
  if (!connection.partial.empty()) {
    const auto* const newline = static_cast<const char*>(std::memchr(data, '\n', bytes));
    const char* const rest = newline == nullptr ? end : newline + 1;
    connection.partial.append(data, rest);
    if (newline == nullptr) return;
    answer(connection.partial);
    connection.partial.clear();
    data = rest;
  }
  while (data != end) {
    const auto left = static_cast<std::size_t>(end - data);
    const auto* const newline = static_cast<const char*>(std::memchr(data, '\n', left));
    if (newline == nullptr) break;
    answer(std::string_view(data, static_cast<std::size_t>(newline + 1 - data)));
    data = newline + 1;
  }
  connection.partial.append(data, end);
}

}  // namespace

int main(int argc, char**) {
  std::string answers;  // Reused: no allocation once it is large enough.
  const bool each = argc > 1;
  weir::bench::RawServer([&](RawConnection& connection, const char* data, std::size_t bytes) {
    answers.clear();
    for_each_line(connection, data, bytes, [&](std::string_view line) {
      if (!each || ::send(connection.fd, line.data(), line.size(), MSG_NOSIGNAL) !=
                       static_cast<ssize_t>(line.size()))
        answers += line;
    });
    return std::string_view(answers);
  }).serve();
}
