// SPDX-License-Identifier: MIT
// A cache that memcached's clients take for memcached, by its text protocol:
//
//     ./memcached [--port PORT] [--megabytes N]
//
//     set greeting 0 60 5\r\nhello\r\n         STORED
//     get greeting\r\n                         VALUE greeting 0 5\r\nhello\r\nEND
//
// What there is to learn: records of two kinds in one stream. A line has an end, which readuntil()
// looks for; a value has a length, which readexactly() counts, and may hold any bytes. Whatever is
// wrong with a request, its value is taken off the stream: else it would be read as commands.
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <list>
#include <set>
#include <unordered_map>

#include <weir/streams/streams.hpp>

namespace {

constexpr std::size_t key_bytes = 250;
constexpr std::size_t value_bytes = 1 << 20;
constexpr std::chrono::seconds grace(5);  // For clients that are in the middle of something.

using Words = std::vector<std::string>;

/// A line that cannot be obeyed; the stream is in step.
struct ClientError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// ---- The cache. It knows no network, but for its clock.

struct Item {
  std::size_t cost() const { return sizeof(Item) + key.size() + value.size(); }
  std::string key, value;
  std::uint32_t flags = 0;
  weir::TimePoint expires = weir::TimePoint::max();
  std::uint64_t version = 0;  // What gets and cas call "cas unique".
};

class Cache {
 public:
  explicit Cache(std::size_t bytes) : most_bytes_(bytes) {}

  /// Null if there is none, or not any more. What is found will be the last to be thrown out.
  Item* find(const std::string& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    if (found->second->expires <= weir::get_running_loop().time()) return erase(key), nullptr;
    items_.splice(items_.begin(), items_, found->second);
    return &items_.front();
  }
  bool erase(const std::string& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return false;
    const auto item = found->second;
    bytes_ -= item->cost();
    index_.erase(found);  // First: its key is a view of the item's.
    items_.erase(item);
    return true;
  }
  void store(Item item) {
    erase(item.key);
    item.version = ++versions_;
    bytes_ += item.cost();
    items_.push_front(std::move(item));
    index_[items_.front().key] = items_.begin();
    while (bytes_ > most_bytes_) erase(std::string(items_.back().key));
  }
  void clear() {
    index_.clear();
    items_.clear();
    bytes_ = 0;
  }
  std::string stats() const {
    const auto line = [](const char* name, std::uint64_t value) {
      return std::string("STAT ") + name + " " + std::to_string(value) + "\r\n";
    };
    return line("curr_items", items_.size()) + line("total_items", versions_) +
           line("bytes", bytes_) + line("limit_maxbytes", most_bytes_) + line("get_hits", hits) +
           line("get_misses", misses) + "END\r\n";
  }
  std::uint64_t hits = 0, misses = 0;

 private:
  std::list<Item> items_;  // Those that were asked for last come first.
  std::unordered_map<std::string_view, std::list<Item>::iterator> index_;
  std::size_t bytes_ = 0, most_bytes_;
  std::uint64_t versions_ = 0;
};

/// All of `text` as a number, or nothing: no sign but that of a T that may have one, no blanks.
template <class T>
std::optional<T> number_in(std::string_view text) {
  T value{};
  const std::from_chars_result got = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good = got.ec == std::errc() && got.ptr == text.data() + text.size();
  return good ? std::optional(value) : std::nullopt;
}
template <class T>
T number_or(std::string_view text, const char* complaint) {
  const std::optional<T> value = number_in<T>(text);
  return value ? *value : throw ClientError(complaint);
}
constexpr const char* bad_line = "bad command line format";

/// 0 is never; up to 30 days count from now, more is a date; below 0 it is over already.
weir::TimePoint expiry_in(std::string_view text) {
  const weir::TimePoint now = weir::get_running_loop().time();
  auto seconds = number_or<std::int32_t>(text, "invalid exptime argument");
  if (seconds == 0) return weir::TimePoint::max();
  if (seconds > 60 * 60 * 24 * 30) {
    seconds -= static_cast<std::int32_t>(std::min<std::time_t>(std::time(nullptr), seconds));
  }
  return now + std::chrono::seconds(std::max(seconds, 0));
}

const std::string& checked_key(const std::string& key) {
  return key.size() <= key_bytes ? key : throw ClientError(bad_line);
}

/// set, add, replace, append, prepend and cas, when the value is there.
std::string store(Cache& cache, const Words& w, std::string value) {
  Item item{checked_key(w[1]), std::move(value)};
  item.flags = number_or<std::uint32_t>(w[2], bad_line);
  item.expires = expiry_in(w[3]);
  Item* const old = cache.find(item.key);
  if (w[0] == "cas") {
    const auto version = number_or<std::uint64_t>(w[5], bad_line);
    if (old == nullptr) return "NOT_FOUND\r\n";
    if (old->version != version) return "EXISTS\r\n";
  } else if (w[0] != "set" && (old != nullptr) == (w[0] == "add")) {
    return "NOT_STORED\r\n";
  } else if (w[0] == "append" || w[0] == "prepend") {  // They keep flags and expiry.
    item.value = w[0] == "append" ? old->value + item.value : item.value + old->value;
    if (item.value.size() > value_bytes) return "SERVER_ERROR object too large for cache\r\n";
    item.flags = old->flags;
    item.expires = old->expires;
  }
  cache.store(std::move(item));
  return "STORED\r\n";
}

std::string count(Cache& cache, const Words& w) {
  Item* const item = cache.find(checked_key(w[1]));
  const auto delta = number_or<std::uint64_t>(w[2], "invalid numeric delta argument");
  if (item == nullptr) return "NOT_FOUND\r\n";
  const auto value =
      number_or<std::uint64_t>(item->value, "cannot increment or decrement non-numeric value");
  // Above, it starts again at 0; below, it stays there.
  const std::uint64_t next = w[0] == "incr" ? value + delta : value - std::min(value, delta);
  Item changed = *item;
  changed.value = std::to_string(next);
  cache.store(std::move(changed));
  return std::to_string(next) + "\r\n";
}

/// Whether the line says `name`, with so many words in all.
bool is(const Words& w, std::string_view name, std::size_t least, std::size_t most) {
  return w[0] == name && least <= w.size() && w.size() <= most;
}

/// The answer to a line that no value follows. `w` has no "noreply" any more.
std::string answer(Cache& cache, const Words& w) {
  if (is(w, "incr", 3, 3) || is(w, "decr", 3, 3)) return count(cache, w);
  if (is(w, "touch", 3, 3)) {
    Item* const item = cache.find(checked_key(w[1]));
    const weir::TimePoint expires = expiry_in(w[2]);
    if (item == nullptr) return "NOT_FOUND\r\n";
    item->expires = expires;
    return "TOUCHED\r\n";
  }
  if (is(w, "delete", 2, 3)) {
    if (w.size() == 3 && w[2] != "0") throw ClientError(bad_line);
    return cache.find(checked_key(w[1])) && cache.erase(w[1]) ? "DELETED\r\n" : "NOT_FOUND\r\n";
  }
  if (is(w, "flush_all", 1, 2)) {
    const auto delay = w.size() == 2 ? number_or<std::uint32_t>(w[1], bad_line) : 0;
    if (delay == 0) cache.clear();
    const auto clear = [&cache] { cache.clear(); };
    if (delay > 0) weir::get_running_loop().call_later(std::chrono::seconds(delay), clear);
    return "OK\r\n";
  }
  if (is(w, "version", 1, SIZE_MAX)) return "VERSION 1.6.0-weir\r\n";
  if (is(w, "verbosity", 2, 2)) return "OK\r\n";
  if (is(w, "stats", 1, 1)) return cache.stats();
  return "ERROR\r\n";
}

// ---- Clients

struct Client;
struct Site {
  Cache cache;
  std::set<Client*> clients;
  bool draining = false;
};

/// A connection: lives in the frame of serve_client().
struct Client {
  Client(Site* its_site, weir::StreamReader its_reader, weir::StreamWriter its_writer)
      : site(its_site), reader(std::move(its_reader)), writer(std::move(its_writer)) {
    site->clients.insert(this);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { site->clients.erase(this); }

  Site* site;
  weir::StreamReader reader;
  weir::StreamWriter writer;
  bool waiting = false;  // For a command: it may be sent home.
};

Words split(std::string_view line) {
  Words words;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    if (end > at) words.emplace_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

/// get, gets, gat, gats. A value is sent before the next one is looked for: a line full of keys
/// costs the memory of one value, not of all.
weir::Coro<> send_values(const Client* client, const Words* words) {
  const bool touches = words->front().starts_with("gat"), versions = words->front().ends_with('s');
  Cache& cache = client->site->cache;
  for (std::size_t i = touches ? 2 : 1; i < words->size(); ++i) {
    const std::string& key = checked_key((*words)[i]);
    Item* const item = cache.find(key);
    ++(item != nullptr ? cache.hits : cache.misses);
    if (item == nullptr) continue;
    if (touches) item->expires = expiry_in((*words)[1]);
    std::string head = "VALUE " + key + " " + std::to_string(item->flags) + " " +
                       std::to_string(item->value.size());
    if (versions) head += " " + std::to_string(item->version);
    client->writer.writelines({head, "\r\n", item->value, "\r\n"});
    co_await client->writer.drain();  // Others run: the item may be gone.
  }
  client->writer.write("END\r\n");
}

/// The value that follows a line, and what is to be said of it.
weir::Coro<std::string> take_value(const Client* client, const Words* words) {
  const std::optional<std::uint32_t> size = number_in<std::uint32_t>((*words)[4]);
  if (!size) throw weir::EOFError("nobody knows how long the value is");
  if (*size > value_bytes) {
    std::string piece;
    for (std::int64_t left = *size + 2LL; left > 0;
         left -= static_cast<std::int64_t>(piece.size())) {
      co_await client->reader.readexactly_into(piece, std::min<std::int64_t>(left, 1 << 16));
    }
    client->site->cache.erase((*words)[1]);  // Better none than the old one.
    co_return "SERVER_ERROR object too large for cache\r\n";
  }
  std::string value = co_await client->reader.readexactly(*size + 2LL);
  if (!value.ends_with("\r\n")) {  // It is longer than it said: up to the end of its line.
    if (!value.ends_with('\n')) co_await client->reader.discard_until("\n");
    throw ClientError("bad data chunk");
  }
  value.resize(*size);
  co_return store(client->site->cache, *words, std::move(value));
}

/// False for quit.
weir::Coro<bool> serve_command(Client* client) {
  client->waiting = true;
  std::string_view line = co_await client->reader.readuntil_view("\n");
  client->waiting = false;
  line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
  Words words = split(line);  // Copies: the view ends at the next co_await.
  if (words.empty()) words = {"nothing"};
  const std::string_view name = words.front();
  if (name == "quit") co_return false;
  const bool gets = name == "get" || name == "gets", gats = name == "gat" || name == "gats";
  const bool asks = gets || gats || name == "version" || name == "stats";
  const bool quiet = !asks && words.back() == "noreply";
  if (quiet) words.pop_back();
  std::string reply;
  try {
    if ((gets && words.size() > 1) || (gats && words.size() > 2)) {
      co_await send_values(client, &words);
    } else if (is(words, "set", 5, 5) || is(words, "add", 5, 5) || is(words, "replace", 5, 5) ||
               is(words, "append", 5, 5) || is(words, "prepend", 5, 5) || is(words, "cas", 6, 6)) {
      reply = co_await take_value(client, &words);
    } else {
      reply = answer(client->site->cache, words);
    }
  } catch (const ClientError& error) {
    reply = std::string("CLIENT_ERROR ") + error.what() + "\r\n";
  }
  if (!quiet) client->writer.write(reply);
  co_return true;
}

weir::Coro<> serve_client(Site* site, weir::StreamReader reader, weir::StreamWriter writer) {
  Client client(site, reader, writer);
  try {
    for (bool more = true; more && !site->draining;) {
      more = co_await serve_command(&client);
      co_await writer.drain();  // Waits only for a client that leaves its replies lying about.
    }
  } catch (const weir::LimitOverrunError&) {  // 64 KiB, the reader's limit, and no line.
    writer.write("CLIENT_ERROR line too long\r\n");
  } catch (const weir::EOFError&) {  // The client has gone, or
  } catch (const weir::OSError&) {   // the connection is lost.
  }
  writer.close();
}

/// Nobody new comes in, who waits is sent home, who is in the middle of something may finish it.
void drain(Site* site, const weir::Server& server) {
  server.close();
  site->draining = true;
  for (const Client* client : site->clients) {
    if (client->waiting && client->reader.buffered_bytes() == 0) client->writer.close();
  }
  weir::get_running_loop().call_later(grace, [server] { server.abort_clients(); });
}

weir::Coro<> serve(Site* site, int port) {
  const auto on_client = std::bind_front(serve_client, site);
  const weir::Server server = co_await weir::start_server(on_client, "127.0.0.1", port);
  for (const int number : {SIGINT, SIGTERM}) {
    weir::get_running_loop().add_signal_handler(number, [=] { drain(site, server); });
  }
  std::printf("listening on 127.0.0.1:%d\n", server.sockets().front().getsockname().port());
  std::fflush(stdout);
  // Closed by drain(), it waits for those who are still there, and then throws CancelledError.
  const weir::Outcome<> ended = co_await weir::outcome(server.serve_forever());
  if (!ended.cancelled()) ended.value();
}

/// What follows `name` on the command line.
const char* option(std::span<char*> words, std::string_view name, const char* otherwise) {
  const auto found = std::ranges::find(words, name);
  return words.end() - found > 1 ? found[1] : otherwise;
}

}  // namespace

int main(int argc, char** argv) {
  const std::span words(argv, static_cast<std::size_t>(argc));
  const std::size_t megabytes = std::strtoul(option(words, "--megabytes", "64"), nullptr, 10);
  Site site{Cache(megabytes << 20), {}};
  return weir::run(serve(&site, std::atoi(option(words, "--port", "11211"))));
}
