// SPDX-License-Identifier: MIT
// A key-value server that redis-cli, redis-benchmark and client libraries take for Redis. A request
// is an array of strings, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", or a line typed by hand, "GET k\r\n".
// Read it from the end: main() and serve(), a client's life in serve_client(), how its requests
// arrive in read_request(). The commands know nothing of networks, and the store needs no lock: all
// clients share one thread, and nobody else runs between two co_awaits.
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
using ErrorReply = weir::ValueError;  // What a client gets to read instead of a reply.

/// A number as Redis wants it: "7" or "-7", but not "+7", "07", "-0", " 7" or "".
long long integer_in(std::string_view text, long long least = LLONG_MIN, long long most = LLONG_MAX,
                     const char* complaint = "ERR value is not an integer or out of range") {
  long long value = 0;
  std::from_chars(text.begin(), text.end(), value);
  const bool exact = std::to_string(value) == text;
  return exact && least <= value && value <= most ? value : throw ErrorReply(complaint);
}

/// The words of a line typed by hand: plain, "with \"escapes\"\n", or 'as they are'.
Args split_inline(std::string_view line) {
  const auto blank = [&](std::size_t i) { return i >= line.size() || std::isspace(line[i] & 0xff); };
  constexpr std::string_view letters = "nrtba", meanings = "\n\r\t\b\a";
  Args words;
  char quote = ' ';  // The one that is open: none.
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quote == ' ' && blank(i)) continue;
    if (quote == ' ' && (i == 0 || blank(i - 1))) words.emplace_back();
    if (quote == ' ' && (line[i] == '"' || line[i] == '\'')) {
      quote = line[i];
    } else if (line[i] == quote) {
      if (!blank(i + 1)) break;  // It stays open: "a"b is an error.
      quote = ' ';
    } else {
      const char next = i + 1 < line.size() ? line[i + 1] : ' ';
      const bool escape = line[i] == '\\' && quote != ' ' && (quote == '"' || quote == next);
      const std::size_t letter = escape ? letters.find(next) : letters.npos;
      words.back() += letter < letters.size() ? meanings[letter] : escape ? next : line[i];
      if (escape) ++i;
    }
  }
  return quote == ' ' ? words : throw ErrorReply("unbalanced quotes in request");
}

/// The next request; empty if it asks for nothing ("*0\r\n", a blank line). At the end, EOFError.
///
/// What has arrived is read without suspending: a hundred requests that came together cost one
/// system call. The view of a line ends at the next co_await; only arguments are copied.
weir::Coro<Args> read_request(weir::StreamReader reader) {
  const auto length = [](std::string_view line) { return line.substr(1, line.find('\r') - 1); };
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
  } catch (const weir::LimitOverrunError&) {
    // A catch block cannot co_await: it goes on below.
  }
  // 64 KiB, the reader's limit, and no line. readuntil() has left everything in the buffer.
  const std::string first = co_await reader.readexactly(1);
  if (missing > 0) throw ErrorReply("too big bulk count string");
  throw ErrorReply(first == "*" ? "too big mbulk count string" : "too big inline request");
}

using List = std::deque<std::string>;
using Set = std::unordered_set<std::string>;
using Hash = std::unordered_map<std::string, std::string>;

struct Store {
  std::unordered_map<std::string, std::variant<std::string, List, Set, Hash>> values;
  std::unordered_map<std::string, weir::TimerHandle> timers;  // Of the keys that expire.
  unsigned long long connections = 0, commands = 0;

  /// Null if there is none, unless one is to be made.
  template <class T>
  T* find(const std::string& key, bool make = false) {
    auto found = values.find(key);
    if (found == values.end() && make) found = values.emplace(key, T()).first;
    if (found == values.end()) return nullptr;
    if (T* value = std::get_if<T>(&found->second)) return value;
    throw ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value");
  }
  void persist(const std::string& key) {
    if (auto timer = timers.extract(key)) timer.mapped().cancel();
  }
  bool erase(const std::string& key) {
    persist(key);
    return values.erase(key) > 0;
  }
  void set(const std::string& key, std::string& value) {
    persist(key);
    values[key] = std::move(value);
  }
  void expire(const std::string& key, std::chrono::milliseconds delay) {
    persist(key);
    timers[key] = weir::get_running_loop().call_later(delay, [this, key] { erase(key); });
  }
};

// ---- Commands. Each takes the words of a request, and returns the bytes of the reply.

const std::string ok = "+OK\r\n", null = "$-1\r\n";
std::string number(char type, auto value) { return type + std::to_string(value) + "\r\n"; }
std::string integer(auto value) { return number(':', value); }
std::string bulk(std::string_view text) { return number('$', text.size()).append(text) + "\r\n"; }
std::string bulk_or_null(const std::string* text) { return text != nullptr ? bulk(*text) : null; }
std::string error(std::string text) {  // A line end in it is a client's own.
  std::ranges::replace_if(text, [](char c) { return c == '\r' || c == '\n'; }, ' ');
  return "-" + text + "\r\n";
}
std::string lowercase(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string ping(Store&, Args& a) { return a.size() == 1 ? "+PONG\r\n" : bulk(a[1]); }
std::string echo(Store&, Args& a) { return bulk(a[1]); }
std::string quit(Store&, Args& a) { return a.clear(), ok; }
std::string command(Store&, Args&) { return number('*', 0); }
std::string get(Store& s, Args& a) { return bulk_or_null(s.find<std::string>(a[1])); }
std::string dbsize(Store& s, Args&) { return integer(s.values.size()); }
std::string select(Store&, Args& a) {
  return integer_in(a[1]) == 0 ? ok : error("ERR DB index is out of range");
}
std::string set(Store& s, Args& a) {
  const std::string unit = a.size() == 5 ? lowercase(a[3]) : "";
  if (a.size() != 3 && unit != "ex" && unit != "px") return error("ERR syntax error");
  const long long ms = unit == "ex" ? 1000 : 1, amount = a.size() == 5 ? integer_in(a[4]) : 1;
  if (amount < 1 || amount > LLONG_MAX / ms) return error("ERR invalid expire time in 'set' command");
  s.set(a[1], a[2]);
  if (a.size() == 5) s.expire(a[1], std::chrono::milliseconds(amount * ms));
  return ok;
}
std::string mset(Store& s, Args& a) {
  for (std::size_t i = 1; i < a.size(); i += 2) s.set(a[i], a[i + 1]);
  return ok;
}
std::string mget(Store& s, Args& a) {
  std::string reply = number('*', a.size() - 1);
  for (std::size_t i = 1; i < a.size(); ++i) {
    const auto found = s.values.find(a[i]);
    const bool there = found != s.values.end();
    reply += bulk_or_null(there ? std::get_if<std::string>(&found->second) : nullptr);
  }
  return reply;
}
std::string incr(Store& s, Args& a) {
  const std::string* old = s.find<std::string>(a[1]);
  const long long value = old != nullptr ? integer_in(*old) : 0;
  if (value == LLONG_MAX) return error("ERR increment or decrement would overflow");
  *s.find<std::string>(a[1], true) = std::to_string(value + 1);
  return integer(value + 1);
}
std::string del(Store& s, Args& a) {
  return integer(std::count_if(a.begin() + 1, a.end(), [&](auto& key) { return s.erase(key); }));
}
std::string exists(Store& s, Args& a) {
  const auto is_there = [&](const std::string& key) { return s.values.contains(key); };
  return integer(std::count_if(a.begin() + 1, a.end(), is_there));
}
std::string expire(Store& s, Args& a) {
  const long long seconds = integer_in(a[2]);
  if (std::abs(seconds) > LLONG_MAX / 1000) return error("ERR invalid expire time in 'expire' command");
  if (!s.values.contains(a[1])) return integer(0);
  seconds > 0 ? s.expire(a[1], std::chrono::seconds(seconds)) : void(s.erase(a[1]));
  return integer(1);
}
std::string ttl(Store& s, Args& a) {
  const auto timer = s.timers.find(a[1]);
  if (timer == s.timers.end()) return integer(s.values.contains(a[1]) ? -1 : -2);
  const weir::Duration left = timer->second.when() - weir::get_running_loop().time();
  return integer(std::chrono::round<std::chrono::seconds>(left).count());
}
std::string flushall(Store& s, Args&) {
  while (!s.values.empty()) s.erase(std::string(s.values.begin()->first));
  return ok;
}
std::string push(Store& s, Args& a) {
  List& list = *s.find<List>(a[1], true);
  for (auto value = a.begin() + 2; value != a.end(); ++value) {
    list.insert(a[0] == "lpush" ? list.begin() : list.end(), std::move(*value));
  }
  return integer(list.size());
}
std::string lpop(Store& s, Args& a) {
  List* const list = s.find<List>(a[1]);
  if (list == nullptr) return null;
  const std::string reply = bulk(list->front());
  list->pop_front();
  if (list->empty()) s.erase(a[1]);
  return reply;
}
std::string lrange(Store& s, Args& a) {  // Below zero, numbers count from the end.
  long long first = integer_in(a[2]), last = integer_in(a[3]);
  const List* const list = s.find<List>(a[1]);
  const auto size = static_cast<long long>(list != nullptr ? list->size() : 0);
  first = std::clamp(first < 0 ? first + size : first, 0LL, size);
  last = std::clamp(last < 0 ? last + size : last, -1LL, size - 1);
  std::string reply = number('*', std::max(last - first + 1, 0LL));
  for (; first <= last; ++first) reply += bulk((*list)[static_cast<std::size_t>(first)]);
  return reply;
}
std::string sadd(Store& s, Args& a) {
  Set& set = *s.find<Set>(a[1], true);
  const std::size_t before = set.size();
  set.insert(a.begin() + 2, a.end());
  return integer(set.size() - before);
}
std::string hset(Store& s, Args& a) {
  Hash& hash = *s.find<Hash>(a[1], true);
  const std::size_t before = hash.size();
  for (std::size_t i = 2; i < a.size(); i += 2) hash[a[i]] = std::move(a[i + 1]);
  return integer(hash.size() - before);
}
std::string hget(Store& s, Args& a) {
  Hash* const hash = s.find<Hash>(a[1]);
  return hash != nullptr && hash->contains(a[2]) ? bulk((*hash)[a[2]]) : null;
}
std::string info(Store& s, Args&) {
  return bulk("# Stats\r\ntotal_connections_received:" + std::to_string(s.connections) +
              "\r\ntotal_commands_processed:" + std::to_string(s.commands) + "\r\n");
}
std::string config(Store&, Args& a) {
  const std::string name = lowercase(a[2]);
  if (lowercase(a[1]) != "get") return error("ERR unknown subcommand '" + a[1] + "'. Try CONFIG HELP.");
  if (name != "save" && name != "appendonly") return number('*', 0);
  return number('*', 2) + bulk(name) + bulk(name == "save" ? "" : "no");
}

constexpr std::size_t any = SIZE_MAX;
constexpr struct Command {
  std::string_view name;
  std::size_t least, most;  // Words of the request, the name included.
  std::string (*run)(Store& s, Args& a);
  std::size_t step = 1;     // How many more words there may be at a time.
} commands[] = {
    {"get", 2, 2, get}, {"set", 3, any, set}, {"incr", 2, 2, incr}, {"mget", 2, any, mget}, {"mset", 3, any, mset, 2},
    {"del", 2, any, del}, {"exists", 2, any, exists}, {"expire", 3, 3, expire}, {"ttl", 2, 2, ttl}, {"flushall", 1, 2, flushall},
    {"lpush", 3, any, push}, {"rpush", 3, any, push}, {"lpop", 2, 2, lpop}, {"lrange", 4, 4, lrange}, {"sadd", 3, any, sadd},
    {"hset", 4, any, hset, 2}, {"hget", 3, 3, hget}, {"dbsize", 1, 1, dbsize}, {"ping", 1, 2, ping}, {"echo", 2, 2, echo},
    {"quit", 1, any, quit}, {"command", 1, any, command}, {"select", 2, 2, select}, {"info", 1, any, info}, {"config", 3, any, config}};

std::string answer(Store& store, Args& args) try {
  const std::string name = lowercase(args[0]);
  const Command* const found = std::ranges::find(commands, name, &Command::name);
  if (found == std::end(commands)) {
    std::string text = "ERR unknown command '" + args[0].substr(0, 128) + "', with args beginning with: ";
    const std::size_t most = text.size() + 128;
    for (std::size_t i = 1; i < args.size() && text.size() < most; ++i) text += "'" + args[i].substr(0, most - text.size()) + "' ";
    return error(text);
  }
  if (args.size() < found->least || args.size() > found->most || (args.size() - found->least) % found->step != 0) return error("ERR wrong number of arguments for '" + name + "' command");
  args[0] = name;
  return found->run(store, args);
} catch (const ErrorReply& failure) {
  return error(failure.what());
}

weir::Coro<> serve_client(Store* store, weir::StreamReader reader, weir::StreamWriter writer) {
  ++store->connections;
  try {
    for (;;) {
      Args args = co_await read_request(reader);
      if (args.empty()) continue;
      ++store->commands;
      writer.write(answer(*store, args));
      co_await writer.drain();  // Waits only for a client that leaves its replies lying about.
      if (args.empty()) break;  // QUIT did that.
    }
  } catch (const ErrorReply& failure) {  // Nobody knows where the next request begins.
    writer.write(error(std::string("ERR Protocol error: ") + failure.what()));
  } catch (const weir::EOFError&) {  // The client has gone, or
  } catch (const weir::OSError&) {   // the connection is lost.
  }
  writer.close();
}

weir::Coro<> serve(Store* store, int port) {
  const auto on_client = [store](weir::StreamReader reader, weir::StreamWriter writer) {
    return serve_client(store, std::move(reader), std::move(writer));
  };
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
  const bool chosen = argc == 3 && std::string_view(argv[1]) == "--port";
  const char* const port = chosen ? argv[2] : argc == 1 ? "6379" : "";
  const auto number = integer_in(port, 0, 65535, "usage: resp_kv [--port 0..65535]");
  weir::CountingKernel kernel(weir::Kernel::posix());
  Store store;
  weir::run(serve(&store, static_cast<int>(number)), kernel);
  const auto calls = static_cast<double>(kernel.total_system_calls());
  const auto commands = static_cast<double>(std::max(store.commands, 1));
  std::printf("%llu connections, %llu commands, %.3f system calls per command\n", store.connections, store.commands,
              calls/commands);
} catch (const ErrorReply& failure) {
  std::fprintf(stderr, "resp_kv: '%s'? %s\n", argv[argc - 1], failure.what());
  return 2;
} catch (const weir::OSError& failure) {
  std::fprintf(stderr, "resp_kv: %s\n", failure.what());
  return 1;
}
