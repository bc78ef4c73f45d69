// SPDX-License-Identifier: MIT
// A key-value server that redis-cli and redis-benchmark take for Redis: ./resp_kv [--port PORT]
// Read it from the end: main() and serve(), a client's life in serve_client(), its requests in
// read_request(): "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" or "GET k\r\n". Commands know no network; the
// store needs no lock: clients share one thread, and nobody else runs between two co_awaits.
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstdio>
#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <variant>

#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/streams/streams.hpp>

namespace {
using Args = std::vector<std::string>;
using ErrorReply = weir::ValueError;  // What a client reads instead of a reply.

/// A number as Redis wants it: "7" or "-7", but not "+7", "07", "-0", " 7" or "".
long long integer_in(std::string_view text, long long least = LLONG_MIN, long long most = LLONG_MAX,
                     const char* complaint = "value is not an integer or out of range") {
  long long value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good = std::to_string(value) == text && least <= value && value <= most;
  return good ? value : throw ErrorReply(complaint);
}

/// The words of a line typed by hand: plain, "with \"escapes\"\n", or 'as they are'.
Args split_inline(std::string_view line) {
  const auto gap = [&](std::size_t i) { return i >= line.size() || std::isspace(line[i] & 0xff); };
  constexpr std::string_view letters = "nrtba", meanings = "\n\r\t\b\a";
  Args words;
  char quote = '\0';  // The one that is open.
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quote == '\0' && gap(i)) continue;
    if (quote == '\0' && (i == 0 || gap(i - 1))) words.emplace_back();
    if (quote == '\0' && (line[i] == '"' || line[i] == '\'')) {
      quote = line[i];
    } else if (line[i] == quote) {
      if (!gap(i + 1)) break;  // It stays open: "a"b is an error.
      quote = '\0';
    } else if (line[i] == '\\' && i + 1 < line.size() && (quote == '"' || quote == line[i + 1])) {
      const std::size_t letter = letters.find(line[++i]);
      words.back() += letter < letters.size() ? meanings[letter] : line[i];
    } else {
      words.back() += line[i];
    }
  }
  return quote == '\0' ? words : throw ErrorReply("unbalanced quotes in request");
}

/// The next request, or EOFError; empty if it asks for nothing ("*0\r\n", a blank line). What has
/// arrived is read without suspending: a hundred requests that came together cost one system call.
/// The view of a line ends at the next co_await; by then its number is known.
weir::Coro<Args> read_request(weir::StreamReader reader) {
  const auto length = [](std::string_view line) { return line.substr(1, line.find("\r\n") - 1); };
  Args args;
  long long missing = 0;  // Arguments still to come.
  try {
    std::string_view line = co_await reader.readuntil_view("\n");
    if (!line.starts_with('*')) co_return split_inline(line);
    missing = integer_in(length(line), LLONG_MIN, INT_MAX, "invalid multibulk length");
    for (; missing > 0; --missing) {
      line = co_await reader.readuntil_view("\n");
      if (line[0] != '$') throw ErrorReply(std::string("expected '$', got '") + line[0] + "'");
      const auto size = integer_in(length(line), 0, 512 << 20, "invalid bulk length");
      args.push_back(co_await reader.readexactly(size + 2));
      args.back().resize(static_cast<std::size_t>(size));  // Without the "\r\n".
    }
    co_return args;
  } catch (const weir::LimitOverrunError&) {  // A catch block cannot co_await: it goes on below.
  }
  // 64 KiB, the reader's limit, and no line. readuntil() has left everything in the buffer.
  const std::string first = co_await reader.readexactly(1);
  if (missing > 0) throw ErrorReply("too big bulk count string");
  throw ErrorReply(first == "*" ? "too big mbulk count string" : "too big inline request");
}

using List = std::deque<std::string>;
using Set = std::unordered_set<std::string>;
using Hash = std::unordered_map<std::string, std::string>;
struct Expiry {  // The timer goes when its key goes.
  ~Expiry() { timer.cancel(); }
  weir::TimerHandle timer;
};

struct Store {
  std::unordered_map<std::string, std::variant<std::string, List, Set, Hash>> values;
  std::unordered_map<std::string, Expiry> expiries;
  unsigned long long connections = 0, commands = 0;
  /// Null if there is none, unless one is to be made.
  template <class T>
  T* find(const std::string& key, bool make = false) {
    if (make) values.try_emplace(key, std::in_place_type<T>);
    const auto found = values.find(key);
    if (found == values.end()) return nullptr;
    if (T* value = std::get_if<T>(&found->second)) return value;
    throw ErrorReply("-WRONGTYPE Operation against a key holding the wrong kind of value");
  }
  bool erase(const std::string& key) { return values.erase(key) + expiries.erase(key) > 0; }
  void set(const std::string& key, std::string& value) {
    values[key] = std::move(value);
    expiries.erase(key);
  }
  void expire(const std::string& key, std::chrono::milliseconds delay) {
    expiries.erase(key);
    expiries[key].timer = weir::get_running_loop().call_later(delay, [this, key] { erase(key); });
  }
};

const std::string ok = "+OK\r\n", null = "$-1\r\n";
std::string number(auto value, char type = ':') { return type + std::to_string(value) + "\r\n"; }
std::string bulk(std::string_view text) { return number(text.size(), '$').append(text) + "\r\n"; }
std::string bulk_or_null(const std::string* text) { return text != nullptr ? bulk(*text) : null; }
std::string error(std::string text) {  // Line ends in it are the client's own.
  std::ranges::replace_if(text, [](char c) { return c == '\r' || c == '\n'; }, ' ');
  return (text[0] == '-' ? "" : "-ERR ") + text + "\r\n";  // WRONGTYPE brings its own code.
}
bool same(std::string_view word, std::string_view name) {
  const auto lower = [](char c) { return std::tolower(c & 0xff); };
  return std::ranges::equal(word, name, {}, lower, lower);
}

/// Whether the request is called `name`. It must then have from `least` to `most` words.
bool is(const Args& a, std::string_view name, std::size_t least, std::size_t most = SIZE_MAX) {
  if (!same(a[0], name)) return false;
  if (least <= a.size() && a.size() <= most) return true;
  throw ErrorReply("wrong number of arguments for '" + std::string(name) + "' command");
}

std::string answer_simple(Store& s, Args& a) {
  if (is(a, "ping", 1, 2)) return a.size() == 1 ? "+PONG\r\n" : bulk(a[1]);
  if (is(a, "echo", 2, 2)) return bulk(a[1]);
  if (is(a, "get", 2, 2)) return bulk_or_null(s.find<std::string>(a[1]));
  if (is(a, "set", 3)) {
    const bool ex = a.size() == 5 && same(a[3], "ex"), px = a.size() == 5 && same(a[3], "px");
    if (a.size() != 3 && !ex && !px) return error("syntax error");
    const long long ms = ex ? 1000 : 1, time = ex || px ? integer_in(a[4]) : 1;
    if (time < 1 || time >= LLONG_MAX / ms) return error("invalid expire time in 'set' command");
    s.set(a[1], a[2]);
    if (ex || px) s.expire(a[1], std::chrono::milliseconds(time * ms));
    return ok;
  }
  if (is(a, "mset", 3, (a.size() - 1) | 1)) {  // Pairs only.
    for (std::size_t i = 1; i < a.size(); i += 2) s.set(a[i], a[i + 1]);
    return ok;
  }
  if (is(a, "mget", 2)) {
    std::string reply = number(a.size() - 1, '*');
    for (auto key = a.begin() + 1; key != a.end(); ++key) {
      const auto it = s.values.find(*key);
      reply += it != s.values.end() ? bulk_or_null(std::get_if<std::string>(&it->second)) : null;
    }
    return reply;
  }
  if (is(a, "incr", 2, 2)) {
    s.values.try_emplace(a[1], "0");
    std::string& text = *s.find<std::string>(a[1]);
    const long long value = integer_in(text);
    if (value == LLONG_MAX) return error("increment or decrement would overflow");
    return ":" + (text = std::to_string(value + 1)) + "\r\n";
  }
  if (const bool del = is(a, "del", 2); del || is(a, "exists", 2)) {
    const auto hit = [&](auto& key) { return del ? s.erase(key) : s.values.contains(key); };
    return number(std::count_if(a.begin() + 1, a.end(), hit));
  }
  if (is(a, "expire", 3, 3)) {
    const long long time = integer_in(a[2]), most = LLONG_MAX / 1000;
    if (time >= most || time < -most) return error("invalid expire time in 'expire' command");
    if (time <= 0 || !s.values.contains(a[1])) return number(s.erase(a[1]));
    s.expire(a[1], std::chrono::seconds(time));
    return number(1);
  }
  if (is(a, "ttl", 2, 2)) {
    const auto found = s.expiries.find(a[1]);
    if (found == s.expiries.end()) return number(s.values.contains(a[1]) ? -1 : -2);
    const auto left = found->second.timer.when() - weir::get_running_loop().time();
    return number(std::chrono::round<std::chrono::seconds>(left).count());
  }
  if (is(a, "flushall", 1, 1)) return s.expiries.clear(), s.values.clear(), ok;
  if (is(a, "dbsize", 1, 1)) return number(s.values.size());
  if (is(a, "select", 2, 2)) return integer_in(a[1]) == 0 ? ok : error("DB index is out of range");
  if (is(a, "quit", 1)) return ok;  // serve_client() does the rest.
  if (is(a, "post", 1) || is(a, "host:", 1)) throw weir::EOFError("a browser, led astray");
  if (is(a, "command", 1)) return number(0, '*');
  if (is(a, "info", 1)) return bulk("# Stats\r\ntotal_commands_processed" + number(s.commands));
  if (is(a, "config", 2)) {
    if (!same(a[1], "get")) return error("unknown subcommand '" + a[1] + "'. Try CONFIG HELP.");
    if (a.size() == 2) return error("wrong number of arguments for 'config|get' command");
    const bool save = same(a[2], "save");
    if (!save && !same(a[2], "appendonly")) return number(0, '*');
    return number(2, '*') + bulk(a[2]) + bulk(save ? "" : "no");
  }
  return "";
}

std::string answer(Store& s, Args& a) try {
  ++s.commands;
  if (std::string reply = answer_simple(s, a); !reply.empty()) return reply;
  if (is(a, "lpush", 3) || is(a, "rpush", 3)) {
    List& list = *s.find<List>(a[1], true);
    for (auto value = a.begin() + 2; value != a.end(); ++value) {
      list.insert(same(a[0], "lpush") ? list.begin() : list.end(), std::move(*value));
    }
    return number(list.size());
  }
  if (is(a, "lpop", 2, 2)) {
    List* const list = s.find<List>(a[1]);
    if (list == nullptr) return null;
    const std::string reply = bulk(list->front());
    if (list->pop_front(); list->empty()) s.erase(a[1]);
    return reply;
  }
  if (is(a, "lrange", 4, 4)) {  // Below zero, numbers count from the end.
    long long first = integer_in(a[2]), last = integer_in(a[3]);
    const List* const list = s.find<List>(a[1]);
    const auto size = static_cast<long long>(list != nullptr ? list->size() : 0);
    first = std::clamp(first < 0 ? first + size : first, 0LL, size);
    last = std::clamp(last < 0 ? last + size : last, -1LL, size - 1);
    std::string reply = number(std::max(last - first + 1, 0LL), '*');
    for (; first <= last; ++first) reply += bulk((*list)[static_cast<std::size_t>(first)]);
    return reply;
  }
  if (is(a, "sadd", 3)) {
    Set& set = *s.find<Set>(a[1], true);
    const std::size_t before = set.size();
    set.insert(a.begin() + 2, a.end());
    return number(set.size() - before);
  }
  if (is(a, "hset", 4, a.size() & ~1UL)) {  // Pairs only.
    Hash& hash = *s.find<Hash>(a[1], true);
    const std::size_t before = hash.size();
    for (std::size_t i = 2; i < a.size(); i += 2) hash[a[i]] = std::move(a[i + 1]);
    return number(hash.size() - before);
  }
  if (is(a, "hget", 3, 3)) {
    Hash* const hash = s.find<Hash>(a[1]);
    return hash != nullptr && hash->contains(a[2]) ? bulk((*hash)[a[2]]) : null;
  }
  std::string words;
  for (std::size_t i = 1; i < a.size() && words.size() < 128; ++i) {
    words += "'" + a[i].substr(0, 128 - words.size()) + "' ";
  }
  return error("unknown command '" + a[0].substr(0, 128) + "', with args beginning with: " + words);
} catch (const ErrorReply& failure) {
  return error(failure.what());
}

weir::Coro<> serve_client(Store* store, weir::StreamReader reader, weir::StreamWriter writer) {
  ++store->connections;
  try {
    for (Args args; args.empty() || !same(args[0], "quit");) {
      args = co_await read_request(reader);
      if (!args.empty()) writer.write(answer(*store, args));
      co_await writer.drain();  // Waits only for a client that leaves its replies lying about.
    }
  } catch (const ErrorReply& failure) {  // Nobody knows where the next request begins.
    writer.write(error(std::string("Protocol error: ") + failure.what()));
  } catch (const weir::EOFError&) {  // The client has gone, or
  } catch (const weir::OSError&) {   // the connection is lost.
  }
  writer.close();
}

weir::Coro<> serve(Store* store, int port) {
  const auto on_client = std::bind_front(serve_client, store);
  const weir::Server server = co_await weir::start_server(on_client, "127.0.0.1", port);
  const weir::Task<> serving = weir::create_task(server.serve_forever());
  for (const int number : {SIGINT, SIGTERM}) {
    weir::get_running_loop().add_signal_handler(number, [serving] { serving.cancel(); });
  }
  std::printf("listening on 127.0.0.1:%d\n", server.sockets().front().getsockname().port());
  std::fflush(stdout);
  // Cancelled, serve_forever() closes all clients and then throws; outcome() catches that.
  const weir::Outcome<> ended = co_await weir::outcome(serving);
  if (!ended.cancelled()) ended.value();
}

}  // namespace

int main(int argc, char** argv) try {
  const bool known = argc == 1 || (argc == 3 && std::string_view(argv[1]) == "--port");
  const std::string port = argc == 1 ? "6379" : argv[argc - 1];
  const std::string usage = "'" + port + "'? usage: resp_kv [--port 0..65535]";
  const auto number = integer_in(known ? port : "", 0, 65535, usage.c_str());
  weir::CountingKernel kernel(weir::Kernel::posix());
  Store store;
  weir::run(serve(&store, static_cast<int>(number)), kernel);
  const auto calls = static_cast<double>(kernel.total_system_calls());
  std::printf("%llu connections, %llu commands, %.3f system calls per command\n", store.connections,
              store.commands, calls / std::max(1.0, static_cast<double>(store.commands)));
} catch (const std::exception& failure) {
  std::fprintf(stderr, "resp_kv: %s\n", failure.what());
  return dynamic_cast<const ErrorReply*>(&failure) != nullptr ? 2 : 1;
}
