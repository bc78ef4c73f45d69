// SPDX-License-Identifier: MIT
// A SOCKS5 proxy (RFC 1928) for those who need no password: CONNECT, to IPv4, IPv6 and names.
//
//     ./socks5 [--port PORT] [--grace MS]
//     curl --socks5-hostname 127.0.0.1:1080 http://example.org/
//     nc -X 5 -x 127.0.0.1:1080 example.org 80
//
// What there is to learn: two streams, and a task for each direction. One direction may end while
// the other goes on (half-close), and a slow reader slows down the sender at the other end: nothing
// here holds more than a few blocks of 64 KiB, however much passes through. Fields of a fixed size
// are read with readexactly().
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <span>

#include <weir/streams/streams.hpp>

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 10s;  // For the client to say where to, and for the target to answer.

enum Code : char {
  granted = 0,
  failed = 1,
  not_allowed = 2,
  network_unreachable = 3,
  host_unreachable = 4,
  refused = 5,
  no_such_command = 7,
  no_such_address_type = 8
};

// ---- What the two sides say. Numbers are big-endian, as in a sockaddr.

/// The answer to a request, with the address that the target sees, if there is one.
std::string reply(Code code, const weir::Endpoint& bound = {}) {
  sockaddr_storage room{};
  bound.copy_to(room);
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  std::memcpy(&v4, &room, sizeof v4);
  std::memcpy(&v6, &room, sizeof v6);
  const auto raw = [](const auto& field) {
    return std::string(reinterpret_cast<const char*>(&field), sizeof field);
  };
  const std::string address = bound.family() == AF_INET6
                                  ? '\4' + raw(v6.sin6_addr) + raw(v6.sin6_port)
                                  : '\1' + raw(v4.sin_addr) + raw(v4.sin_port);
  return std::string{5, code, 0} + address;
}

/// What a client reads instead of a connection.
struct Refusal {
  std::string answer;
};

struct Target {
  std::string host;
  int port = 0;
};

int byte_at(std::string_view text, std::size_t at) { return text[at] & 0xff; }

std::string text_of(int family, const std::string& address) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, address.data(), text, sizeof text);
  return text;
}

/// Hears the client's greeting, and where it wants to go. Whatever else it has sent stays in the
/// reader: it is for the target.
weir::Coro<Target> read_request(weir::StreamReader reader, weir::StreamWriter writer) {
  const std::string greeting = co_await reader.readexactly(2);  // Version, number of methods.
  if (greeting[0] != 5) throw weir::EOFError("not for us: SOCKS4, or a browser led astray");
  const std::string methods = co_await reader.readexactly(byte_at(greeting, 1));
  if (methods.find('\0') == methods.npos) throw Refusal{"\5\xff"};  // It insists on a password.
  writer.write(std::string_view("\5\0", 2));

  const std::string head = co_await reader.readexactly(4);  // Version, command, 0, address type.
  if (head[0] != 5) throw Refusal{reply(failed)};
  Target target;
  if (head[3] == 1) {
    const std::string address = co_await reader.readexactly(4);
    target.host = text_of(AF_INET, address);
  } else if (head[3] == 4) {
    const std::string address = co_await reader.readexactly(16);
    target.host = text_of(AF_INET6, address);
  } else if (head[3] == 3) {
    const std::string size = co_await reader.readexactly(1);
    target.host = co_await reader.readexactly(byte_at(size, 0));
  } else {
    throw Refusal{reply(no_such_address_type)};
  }
  const std::string port = co_await reader.readexactly(2);
  target.port = byte_at(port, 0) << 8 | byte_at(port, 1);
  if (head[1] != 1) throw Refusal{reply(no_such_command)};
  // An empty name would be taken for "every interface", and one with a NUL ends early.
  const bool is_name = !target.host.empty() && target.host.find('\0') == target.host.npos;
  co_return is_name ? target : throw Refusal{reply(failed)};
}

Code code_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const weir::ExceptionGroup& group) {  // A name may have several addresses.
    return code_of(group.exceptions().back());
  } catch (const weir::ConnectionRefusedError&) {
    return refused;
  } catch (const weir::PermissionError&) {
    return not_allowed;
  } catch (const weir::TimeoutError&) {
    return host_unreachable;
  } catch (const weir::GaiError&) {
    return host_unreachable;
  } catch (const weir::OSError& other) {
    const int number = other.code().value();
    return number == ENETUNREACH    ? network_unreachable
           : number == EHOSTUNREACH ? host_unreachable
                                    : failed;
  } catch (const std::exception&) {
    return failed;
  }
}

// ---- The two directions

/// Ends a connection so that its peer sees an error: a FIN would say that all had come.
void reset(const weir::StreamWriter& writer) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  if (const auto socket = writer.get_extra_info("socket").socket()) {
    ::setsockopt(socket->fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  writer.transport()->abort();
}

/// One direction: hands on what comes, and then the end. Both writers are held: one that breaks off
/// takes the other with it.
weir::Coro<> pump(weir::Streams from, weir::Streams to) {
  try {
    for (;;) {
      const std::string piece = co_await from.reader.read(64 * 1024);
      if (piece.empty()) break;
      to.writer.write(piece);
      co_await to.writer.drain();  // The slow side sets the pace: nothing is read meanwhile.
    }
    to.writer.write_eof();  // The other direction goes on.
  } catch (const weir::OSError&) {
    reset(to.writer);
    reset(from.writer);
  }
}

/// A coroutine, so that all that can go wrong comes out where it is awaited: a name that can be
/// none is found out at once.
weir::Coro<weir::Streams> connect(Target target) {
  auto connecting = weir::open_connection(target.host, target.port, {.all_errors = true});
  co_return co_await weir::wait_for(std::move(connecting), patience);
}

/// Connects, and hands on until both sides have ended.
weir::Coro<> relay(weir::Streams client, Target target) {
  const weir::Outcome<weir::Streams> connected = co_await weir::outcome(connect(target));
  if (connected.cancelled()) connected.value();
  if (!connected.has_value()) throw Refusal{reply(code_of(connected.exception()))};
  const weir::Streams& upstream = connected.value();
  const auto bound = upstream.writer.get_extra_info("sockname").endpoint();
  client.writer.write(reply(granted, bound.value_or(weir::Endpoint())));

  const weir::Task<> coming_back = weir::create_task(pump(upstream, client));
  co_await pump(client, upstream);
  co_await coming_back;
  // Before the client's own: as long as that is open, the server waits, and nothing is cut off.
  upstream.writer.close();
  co_await upstream.writer.wait_closed_error();
}

// ---- Serving

struct Site {
  std::set<const weir::StreamWriter*> waiting;  // Have not said yet where to: may be sent home.
  std::chrono::milliseconds grace{};
};

weir::Coro<> serve_client(Site* site, weir::StreamReader reader, weir::StreamWriter writer) {
  site->waiting.insert(&writer);
  reader.set_read_timeout(patience);
  try {
    const weir::Outcome<Target> request = co_await weir::outcome(read_request(reader, writer));
    site->waiting.erase(&writer);
    reader.set_read_timeout(std::nullopt);
    co_await relay(weir::Streams(reader, writer), request.value());
  } catch (const Refusal& refusal) {
    writer.write(refusal.answer);
  } catch (const weir::EOFError&) {  // The client has gone, or
  } catch (const weir::OSError&) {   // it is silent, or the connection is lost.
  }
  writer.close();
}

/// Nobody new comes in, who has not asked yet is sent home, what passes through may end by itself.
void drain(Site* site, const weir::Server& server) {
  server.close();
  for (const weir::StreamWriter* writer : site->waiting) writer->close();
  weir::get_running_loop().call_later(site->grace, [server] { server.abort_clients(); });
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
  Site site;
  site.grace = std::chrono::milliseconds(std::atoi(option(words, "--grace", "30000")));
  return weir::run(serve(&site, std::atoi(option(words, "--port", "1080"))));
}
