// SPDX-License-Identifier: MIT
// An HTTP/1.1 server for curl, wrk and ab: the files of a folder, uploads, and a stream of events.
//
//     ./http [--folder PATH] [--port PORT] [--patience MS]
//     GET, HEAD /PATH      the file FOLDER/PATH, or /PATH/index.html after a slash
//     PUT, POST /upload    says how many bytes came, and their Adler-32; keeps none of them
//     GET /events          server-sent events, one a tick, until the client goes
//
// What there is to learn: a head is one record, readuntil("\r\n\r\n"). The limit and the time-out
// of that one read keep out heads that are endless, and heads that trickle. And: what a proxy might
// read in another way than we do is not guessed at, but refused. Read it from the end.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include <weir/reactor/unique_fd.hpp>
#include <weir/streams/streams.hpp>

namespace {

constexpr std::ptrdiff_t head_bytes = 16 * 1024;  // The longest head, or line of a trailer.
constexpr std::chrono::milliseconds tick(500);    // Between two events.

/// An answer after which the connection ends: nobody knows where the next request begins.
struct Refusal : std::runtime_error {
  Refusal(std::string_view its_status, const std::string& why)
      : std::runtime_error(why), status(its_status) {}
  std::string_view status;
};
Refusal bad(const std::string& why) { return {"400 Bad Request", why}; }

// ---- Requests. Nothing here knows a network.

std::string lower(std::string_view text) {
  std::string small(text);
  for (char& c : small) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return small;
}

struct Request {
  std::string method, path;  // The path is decoded, and without its "?query".
  bool is_http_1_0 = false;
  std::map<std::string, std::string> fields;  // The names in small letters.
  bool chunked = false;
  std::uint64_t length = 0;

  std::string field(const std::string& name) const {  // In small letters, too.
    const auto found = fields.find(name);
    return found != fields.end() ? lower(found->second) : "";
  }
};

std::string_view trim(std::string_view text) {
  const std::size_t first = std::min(text.find_first_not_of(" \t"), text.size());
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

/// All of `digits` as a number. std::from_chars takes no sign, no blank, no "0x", and tells what
/// does not fit; what it leaves over is as wrong.
std::uint64_t number_in(std::string_view digits, int base) {
  std::uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const std::from_chars_result got = std::from_chars(digits.data(), end, value, base);
  return got.ec == std::errc() && got.ptr == end ? value : throw bad("this is not a number");
}

/// What names are made of: no blank, so that neither " folded" nor "name :" is one.
bool is_token(std::string_view text) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](unsigned char c) {
    return std::isalnum(c) || others.find(static_cast<char>(c)) != others.npos;
  });
}

/// Takes the first line off `text`. A "\r" or "\n" by itself may be a line's end to others: refused
/// wherever it is, as are all control characters but the tab.
std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find("\r\n"));
  if (std::ranges::any_of(line, [](char c) { return std::iscntrl(c & 0xff) && c != '\t'; })) {
    throw bad("lines end with \\r\\n, and have no control characters");
  }
  text.remove_prefix(std::min(text.size(), line.size() + 2));
  return line;
}

void add_field(Request& request, std::string_view line) {
  const std::size_t colon = std::min(line.find(':'), line.size());
  if (colon == line.size() || !is_token(line.substr(0, colon))) throw bad("this is not a field");
  const std::string name = lower(line.substr(0, colon)), value(trim(line.substr(colon + 1)));
  const auto [field, is_new] = request.fields.try_emplace(name, value);
  if (!is_new) field->second += ", " + value;  // As if it had come in one: no number, for example.
}

std::string path_of(std::string_view target) {
  if (!target.starts_with('/')) throw bad("a path begins with /");
  std::string path;
  for (target = target.substr(0, target.find('?')); !target.empty(); target.remove_prefix(1)) {
    path += target[0];
    if (target[0] != '%') continue;
    const std::uint64_t value = number_in(target.substr(1, 2), 16);
    if (target.size() < 3 || value == 0) throw bad("% wants two digits, but not 00");
    path.back() = static_cast<char>(value);
    target.remove_prefix(2);
  }
  return path;
}

Request parse(std::string_view head) {
  Request request;
  if (head.starts_with("\r\n")) head.remove_prefix(2);  // RFC 9112: one is to be overlooked.
  const std::string_view line = take_line(head);
  const std::size_t first = line.find(' '), last = std::min(line.rfind(' '), line.size());
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last);
  request.method = line.substr(0, first);
  request.is_http_1_0 = version == " HTTP/1.0";
  if (std::ranges::count(line, ' ') != 2 || !is_token(request.method) ||
      (!request.is_http_1_0 && version != " HTTP/1.1")) {
    throw bad("a request begins with METHOD PATH HTTP/1.1");
  }
  request.path = path_of(target);
  for (std::string_view field = take_line(head); !field.empty(); field = take_line(head)) {
    add_field(request, field);
  }
  if (!head.empty()) throw bad("a second line end is missing");
  const std::string host = request.field("host");
  if (host.find(',') != host.npos || (host.empty() && !request.is_http_1_0)) throw bad("one Host");
  // How long the body is. Two answers to that, or one that we do not know, are how requests are
  // smuggled past a proxy.
  request.chunked = request.fields.contains("transfer-encoding");
  const bool has_length = request.fields.contains("content-length");
  if (request.chunked &&
      (has_length || request.is_http_1_0 || request.field("transfer-encoding") != "chunked")) {
    throw bad("chunked it may be, by itself");
  }
  if (has_length) request.length = number_in(request.field("content-length"), 10);
  return request;
}

// ---- Clients

struct Site {
  weir::UniqueFd folder;
  std::chrono::milliseconds patience{};
  bool draining = false;
  std::set<struct Client*> clients;
};

/// A connection: lives in the frame of serve_client().
struct Client {
  Client(Site* its_site, weir::StreamReader its_reader, weir::StreamWriter its_writer)
      : site(its_site), reader(std::move(its_reader)), writer(std::move(its_writer)) {
    site->clients.insert(this);
  }
  Client(const Client&) = delete;
  ~Client() { site->clients.erase(this); }

  bool stays() const { return keep_alive && !site->draining; }
  Site* site;
  weir::StreamReader reader;
  weir::StreamWriter writer;
  bool keep_alive = true;
  bool waiting = false;  // For a request, or for events: it may be sent home.
  bool listening = false;
};

std::string head_of(const Client& client, std::string_view status, std::string_view type,
                    const std::string& length = "") {
  std::string head = "HTTP/1.1 ";
  head.append(status).append("\r\nContent-Type: ").append(type);
  if (!length.empty()) head += "\r\nContent-Length: " + length;
  return head + "\r\nConnection: " + (client.stays() ? "keep-alive" : "close") + "\r\n\r\n";
}

void reply(const Client& client, std::string_view status, std::string text, bool is_head = false) {
  text += "\n";
  const std::string head = head_of(client, status, "text/plain", std::to_string(text.size()));
  client.writer.write(is_head ? head : head + text);
}

/// FOLDER/path, or nothing. Goes down folder by folder and follows no symbolic link, so that it
/// leads nowhere else, not even while somebody moves things about. It blocks: fine for a disk.
weir::UniqueFd open_below(const weir::UniqueFd& folder, std::string path) {
  if (path.ends_with('/')) path += "index.html";
  weir::UniqueFd file;
  for (std::size_t end, at = 1; at <= path.size(); at = end + 1) {
    end = std::min(path.find('/', at), path.size());
    const std::string name = path.substr(at, end - at);
    if (name == ".." || name.empty()) return {};
    const int below = file ? file.get() : folder.get();
    // O_NONBLOCK: opening a FIFO would wait for somebody who writes to it.
    const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    file = weir::UniqueFd(weir::Kernel::posix(), ::openat(below, name.c_str(), flags));
    if (!file) return {};
  }
  return file;
}

std::string_view type_of(std::string_view path) {
  if (path.ends_with('/') || path.ends_with(".html")) return "text/html; charset=utf-8";
  return path.ends_with(".txt") ? "text/plain; charset=utf-8" : "application/octet-stream";
}

weir::Coro<> send_file(const Client* client, const Request* request) {
  const weir::UniqueFd file = open_below(client->site->folder, request->path);
  struct stat about{};
  const bool is_head = request->method == "HEAD";
  if (!file || ::fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) {
    reply(*client, "404 Not Found", "there is no such file", is_head);
    co_return;
  }
  const std::string length = std::to_string(about.st_size);
  client->writer.write(head_of(*client, "200 OK", type_of(request->path), length));
  co_await client->writer.drain();  // Throws if the client has gone.
  const std::int64_t size = is_head ? 0 : about.st_size;
  for (std::int64_t sent = 0; sent < size;) {  // By sendfile(2): the bytes are never ours.
    const std::int64_t count = std::min<std::int64_t>(size - sent, 1 << 20);  // A patience each.
    auto sending =
        weir::sendfile(client->writer.transport(), file.get(), {.offset = sent, .count = count});
    const weir::Outcome<std::int64_t> got =
        co_await weir::outcome(weir::wait_for(std::move(sending), client->site->patience));
    if (!got.has_value() || got.value() == 0) {  // What the client has must not look like all.
      client->writer.transport()->abort();
      co_return;
    }
    sent += got.value();
  }
}

/// What came, in a few bytes: the sum is that of RFC 1950.
struct Sum {
  void add(std::string_view piece) {
    bytes += piece.size();
    for (const char c : piece) b += a += c & 0xff;
    a %= 65521;
    b %= 65521;
  }
  std::uint64_t bytes = 0, a = 1, b = 0;
};

weir::Coro<> take(weir::StreamReader reader, std::uint64_t count, Sum* sum) {
  for (std::string piece; count > 0; count -= piece.size()) {
    const auto size = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(count, 1 << 16));
    co_await reader.readexactly_into(piece, size);
    sum->add(piece);
  }
}

/// A chunk is "5\r\nhello\r\n"; one of size 0 ends the body, after fields that nobody wants. Lines
/// are read up to "\n", not "\r\n": one without its "\r" is refused at once, not waited on.
weir::Coro<> take_chunks(weir::StreamReader reader, Sum* sum) {
  for (std::uint64_t size = 1; size > 0;) {
    std::string_view line = co_await reader.readuntil_view("\n", {.limit = 256});
    line = take_line(line);  // Ends at the next co_await, when it is no longer needed.
    size = number_in(line.substr(0, line.find(';')), 16);
    if (size == 0) break;
    co_await take(reader, size, sum);
    const std::string end = co_await reader.readexactly(2);
    if (end != "\r\n") throw bad("a chunk is longer than it said");
  }
  for (bool more = true; more;) {
    std::string_view line = co_await reader.readuntil_view("\n", {.limit = head_bytes});
    more = !take_line(line).empty();
  }
}

weir::Coro<> receive_upload(const Client* client, const Request* request) {
  if (!request->is_http_1_0 && request->field("expect") == "100-continue") {
    client->writer.write("HTTP/1.1 100 Continue\r\n\r\n");
  }
  Sum sum;
  if (request->chunked) co_await take_chunks(client->reader, &sum);
  co_await take(client->reader, request->length, &sum);  // That is 0 after chunks.
  reply(*client, "200 OK",
        std::to_string(sum.bytes) + " bytes, Adler-32 " + std::to_string(sum.b << 16 | sum.a));
}

/// The pause between two events is a read: it ends when the client goes, not a tick later.
weir::Coro<> send_events(Client* client) {
  client->waiting = client->listening = true;
  client->reader.set_read_timeout(tick);
  client->writer.write(head_of(*client, "200 OK", "text/event-stream"));
  for (;;) {
    const auto count = std::ranges::count_if(client->site->clients, &Client::listening);
    client->writer.write("data: " + std::to_string(count) + " listening\n\n");
    co_await client->writer.drain();
    const weir::Outcome<std::string> heard = co_await weir::outcome(client->reader.read(1));
    if (!heard.failed_with<weir::TimeoutError>()) co_return;  // It said something, or has gone.
  }
}

// The end of a head is "\r\n\r\n". The others are none, and parse() says so; waiting for a right
// one would take them, and the request after them, for a part of this head.
const weir::Separators head_ends("\r\n\r\n", "\n\r\n", "\n\n", "\r\r");

weir::Coro<> serve_request(Client* client) {
  client->waiting = true;
  const Request request =
      parse(co_await client->reader.readuntil_view(head_ends, {.limit = head_bytes}));
  client->waiting = false;
  const std::string connection = request.field("connection");
  client->keep_alive = connection.find("close") == connection.npos &&
                       (!request.is_http_1_0 || connection.find("keep-alive") != connection.npos);
  if (request.path == "/upload" && (request.method == "PUT" || request.method == "POST")) {
    co_await receive_upload(client, &request);
    co_return;
  }
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  if (!is_get) throw Refusal("405 Method Not Allowed", "this cannot be done here");
  const bool is_stream = request.path == "/events" && request.method == "GET";
  // The end of a stream is the connection's. So is a body that nobody wants: it is not read.
  if (is_stream || request.chunked || request.length > 0) client->keep_alive = false;
  auto answering = is_stream ? send_events(client) : send_file(client, &request);
  co_await std::move(answering);
}

/// After the last word, until the client ends, too. Closing with input unread would make TCP reset
/// the connection, and take from the client what it has not read yet.
weir::Coro<> hear_out(weir::StreamReader reader, weir::StreamWriter writer) {
  writer.write_eof();
  for (std::string piece = "more"; !piece.empty();) piece = co_await reader.read(1 << 16);
}

weir::Coro<> serve_client(Site* site, weir::StreamReader reader, weir::StreamWriter writer) {
  Client client(site, reader, writer);
  reader.set_read_timeout(site->patience);
  writer.set_write_timeout(site->patience);
  try {
    while (client.stays()) {
      co_await serve_request(&client);
      co_await writer.drain();  // Waits only for a client that leaves its answers lying about.
    }
  } catch (const Refusal& refusal) {
    client.keep_alive = false;
    reply(client, refusal.status, refusal.what());
  } catch (const weir::LimitOverrunError& overrun) {
    client.keep_alive = false;
    reply(client, "431 Request Header Fields Too Large", overrun.what());
  } catch (const weir::TimeoutError&) {
    client.keep_alive = false;
    if (client.waiting && reader.buffered_bytes() > 0) reply(client, "408 Request Timeout", "late");
  } catch (const weir::EOFError&) {  // The client has gone, or
  } catch (const weir::OSError&) {   // the connection is lost.
  }
  if (!writer.is_closing()) {
    (void)co_await weir::outcome(weir::wait_for(hear_out(reader, writer), std::chrono::seconds(2)));
  }
  co_await writer.close_within(site->patience);
}

/// Nobody new comes in, who waits is sent home, who is in the middle of something may finish it.
void drain(Site* site, const weir::Server& server) {
  server.close();
  site->draining = true;
  for (const Client* client : site->clients) {
    if (client->waiting && client->reader.buffered_bytes() == 0) client->writer.close();
  }
  weir::get_running_loop().call_later(site->patience, [server] { server.abort_clients(); });
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

int main(int argc, char** argv) try {
  const std::span words(argv, static_cast<std::size_t>(argc));
  Site site;
  site.patience = std::chrono::milliseconds(std::atoi(option(words, "--patience", "10000")));
  const int folder = ::open(option(words, "--folder", "."), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) throw weir::ValueError("--folder wants a folder");
  site.folder = weir::UniqueFd(weir::Kernel::posix(), folder);
  return weir::run(serve(&site, std::atoi(option(words, "--port", "8080"))));
} catch (const std::exception& failure) {
  std::fprintf(stderr, "http: %s\n", failure.what());
  return 2;
}
