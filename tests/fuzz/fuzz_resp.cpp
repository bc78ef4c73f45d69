// SPDX-License-Identifier: MIT
//
// The example's own file is compiled here, so that it can stay one file. Only main() may end
// without a return.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wreturn-type"
#define main resp_kv_main
#include <docs/examples/resp_kv.cpp>
#undef main
#pragma GCC diagnostic pop

#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/run_until_complete.hpp>

#include <tests/fuzz/choices.hpp>
#include <tests/fuzz/targets.hpp>

namespace weir::fuzz {
namespace {

/// What a client's bytes ask for, in order, and how they end: "EOF", or the protocol error.
struct Conversation {
  std::vector<Args> requests;
  std::vector<std::string> replies;
  std::string end;
};

// ---- The same from a string that is there as a whole

struct TooShort {};  // The bytes end before the request does.

std::string_view next_line(std::string_view& left) {
  const std::size_t end = left.find('\n');
  if (end == std::string_view::npos) throw TooShort();
  const std::string_view line = left.substr(0, end + 1);
  left.remove_prefix(end + 1);
  return line;
}

/// What stands between the first byte of a line and its "\r\n", if it is a number as redis has it.
std::optional<long long> number_of(std::string_view line) {
  if (!line.ends_with("\r\n")) return std::nullopt;
  std::string_view digits = line.substr(1, line.size() - 3);
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  if (digits.empty() || digits.size() > 19) return std::nullopt;
  if (digits[0] == '0' && (digits.size() > 1 || negative)) return std::nullopt;
  unsigned long long number = 0;  // 19 digits fit.
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return std::nullopt;
    number = number * 10 + static_cast<unsigned long long>(digit - '0');
  }
  if (number > LLONG_MAX + (negative ? 1ULL : 0ULL)) return std::nullopt;
  return static_cast<long long>(negative ? 0 - number : number);
}

Args next_request(std::string_view& left) {
  std::string_view line = next_line(left);
  if (!line.starts_with('*')) return split_inline(line);
  const std::optional<long long> count = number_of(line);
  if (!count || *count > INT_MAX) throw ErrorReply("invalid multibulk length");
  Args args;
  for (long long missing = *count; missing > 0; --missing) {
    line = next_line(left);
    if (line[0] != '$') throw ErrorReply(std::string("expected '$', got '") + line[0] + "'");
    const std::optional<long long> size = number_of(line);
    if (!size || *size < 0 || *size > 512 * 1024 * 1024) throw ErrorReply("invalid bulk length");
    const auto bytes = static_cast<std::size_t>(*size);
    if (left.size() < bytes + 2) throw TooShort();
    args.emplace_back(left.substr(0, bytes));
    left.remove_prefix(bytes + 2);
  }
  return args;
}

Conversation expected_from(std::string_view bytes) {
  Conversation all;
  try {
    for (;;) all.requests.push_back(next_request(bytes));
  } catch (const TooShort&) {
    all.end = "EOF";
  } catch (const ErrorReply& error) {
    all.end = error.what();
  }
  return all;
}

// ---- What the server makes of it

Coro<Conversation> converse(StreamReader reader, Store* store) {
  Conversation all;
  try {
    for (;;) {
      Args args = co_await read_request(reader);
      all.requests.push_back(args);
      if (args.empty()) continue;
      try {
        all.replies.push_back(answer(*store, args));
      } catch (const EOFError&) {  // A browser, led astray: a client would be gone.
      }
    }
  } catch (const EOFError&) {
    all.end = "EOF";
  } catch (const ErrorReply& error) {
    all.end = error.what();
  }
  co_return all;
}

Conversation serve_pieces(std::string_view bytes, std::size_t piece, std::ptrdiff_t limit) {
  FakeKernel kernel;
  EventLoop loop(kernel);
  Store store;
  const StreamReader reader(loop, limit);
  const Task<Conversation> task = loop.create_task(converse(reader, &store));
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    loop.stop();
    loop.run_forever();
    reader.feed_data(bytes.substr(0, piece));
  }
  reader.feed_eof();
  Conversation all = loop.run_until_complete(task);
  store.expiries.clear();
  loop.close();
  return all;
}

// ---- Replies

/// Removes one reply of RESP2 from the front; false if there is none.
bool skip_reply(std::string_view& left) {
  const std::size_t end = left.find("\r\n");
  if (end == std::string_view::npos) return false;
  const std::string_view line = left.substr(0, end + 2);
  left.remove_prefix(line.size());
  if (line[0] == '+' || line[0] == '-') return line.find_first_of("\r\n") == end;
  const std::optional<long long> number = number_of(line);
  if (line[0] == ':') return line.find_first_of("\r\n") == end && line.size() > 3;
  if (!number || (line[0] != '$' && line[0] != '*')) return false;
  if (line[0] == '$' && *number >= 0) {
    const auto size = static_cast<std::size_t>(*number);
    if (left.size() < size + 2 || left.substr(size, 2) != "\r\n") return false;
    left.remove_prefix(size + 2);
  }
  if (line[0] == '*') {
    for (long long missing = *number; missing > 0; --missing) {
      if (!skip_reply(left)) return false;
    }
  }
  return true;
}

}  // namespace

void resp(std::string_view input) {
  constexpr std::size_t most_bytes = 16 * 1024;  // No line is too long for the reader.
  constexpr std::ptrdiff_t small_limit = 24;
  Choices choices(input);
  const std::size_t piece = 1 + choices.roll(256);
  const std::string_view bytes = choices.take(most_bytes);

  const Conversation whole = serve_pieces(bytes, std::max<std::size_t>(bytes.size(), 1), 64 * 1024);
  const Conversation pieces = serve_pieces(bytes, piece, 64 * 1024);
  require(pieces.requests == whole.requests, "requests do not depend on how they arrive");
  require(pieces.replies == whole.replies, "replies do not depend on how requests arrive");
  require(pieces.end == whole.end, "the end does not depend on how requests arrive");

  const Conversation expected = expected_from(bytes);
  require(whole.requests == expected.requests, "requests are those of the plain parser");
  require(whole.end == expected.end, "the end is the plain parser's: " + whole.end);

  for (const std::string_view reply : whole.replies) {
    std::string_view left = reply;
    require(skip_reply(left) && left.empty(), "one well-formed reply: " + std::string(reply));
  }
  serve_pieces(bytes, piece, small_limit);  // Too long a line is an error, and nothing worse.
}

}  // namespace weir::fuzz
