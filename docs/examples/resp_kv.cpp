// SPDX-License-Identifier: MIT
// A key-value server that redis-cli, redis-benchmark and client libraries take for Redis 7. It
// speaks RESP2: a request is an array of strings, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", or a line typed by
// hand, "GET k\n". Read it from the end: main() and serve(), a client's life in serve_client(), the
// protocol in read_request(). In between, the commands know nothing of coroutines. All clients share
// one thread, and nobody else runs between two co_awaits, so the store needs no lock.
//
//     ./resp_kv [--port PORT]        (6379; 0 lets the kernel choose)
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <climits>
#include <cstdio>
#include <deque>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/streams/streams.hpp>

namespace {

using Args = std::vector<std::string>;
using std::chrono::milliseconds;

/// A command that cannot be done. The client is told, and may go on.
struct CommandError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// Bytes that are no request. Nobody knows where the next one begins, so the client has to go.
struct ProtocolError : std::runtime_error {
  explicit ProtocolError(const std::string& text) : runtime_error("ERR Protocol error: " + text) {}
};

// ---- Requests

/// A number as Redis wants it: "7" or "-7", but not "+7", "07", "-0", " 7" or "".
std::optional<long long> parse_integer(std::string_view text) {
  long long value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  if (text.size() > 1 && text[text[0] == '-' ? 1 : 0] == '0') return std::nullopt;
  return value;
}

/// The number in "*3\r\n" or "$5\r\n".
long long length_in(std::string_view line, long long most, const char* complaint) {
  const bool whole = line.ends_with("\r\n");
  const auto length = parse_integer(whole ? line.substr(1, line.size() - 3) : "");
  if (!length || *length > most) throw ProtocolError(complaint);
  return *length;
}

/// Behind a backslash: "x41", "n", or any character for itself. Takes all but its last character.
char unescape(std::string_view& text) {
  constexpr std::string_view letters = "nrtba", meanings = "\n\r\t\b\a";
  unsigned char byte = 0;
  const char* const digits = text.data() + 1;
  if (text[0] == 'x' && text.size() > 2 &&
      std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
    text.remove_prefix(2);
    return static_cast<char>(byte);
  }
  const std::size_t at = letters.find(text[0]);
  return at == letters.npos ? text[0] : meanings[at];
}

/// The words of a line typed by hand. Quotes hold blanks: "a \"b\"\x00" with escapes, 'it\'s' without.
Args split_inline(std::string_view line) {
  constexpr std::string_view blanks = " \t\r\n\v\f";
  const ProtocolError unbalanced("unbalanced quotes in request");
  for (Args words;;) {
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    if (line.empty()) return words;
    std::string& word = words.emplace_back();
    char quote = '\0';  // The one that is open.
    for (; !line.empty() && (quote != '\0' || !blanks.contains(line[0])); line.remove_prefix(1)) {
    }
  }
}

/// The next request; empty if it says nothing ("*0\r\n", a blank line).
///
/// A view of a line lives until the next co_await, long enough to read a number: only the arguments
/// themselves are copied. What has arrived is read without suspending and without a system call, so
/// many requests that came together cost as many wake-ups as one.
weir::Coro<Args> read_request(weir::StreamReader reader) {
  constexpr long long longest_argument = 512 * 1024 * 1024;
  Args args;
  long long missing = 0;  // Arguments that are still to come.
  try {
    std::string_view line = co_await reader.readuntil_view("\n");
    if (!line.starts_with('*')) co_return split_inline(line);
    missing = length_in(line, INT_MAX, "invalid multibulk length");
    for (args.reserve(missing < 16 ...); missing > 0; --missing) {
      line = co_await reader.readuntil_view("\n");
      if (line[0] != '$') throw ProtocolError(std::string("expected '$', got '") + line[0] + "'");
      const long long size = length_in(line, longest_argument, "invalid bulk length");
      std::string argument = co_await reader.readexactly(size + 2);
      argument.resize(static_cast<std::size_t>(size));  // Without the "\r\n", whatever it is.
      args.push_back(std::move(argument));
    }
    co_return args;
  } catch (const weir::LimitOverrunError&) {
    // Here co_await is not allowed.
  }
  // More than the reader's limit, and no line yet. readuntil() has left all of it in the buffer.
  const std::string first = co_await reader.readexactly(1);
  ...
}
