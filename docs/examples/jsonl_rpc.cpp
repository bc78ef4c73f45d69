// SPDX-License-Identifier: MIT
// Calls as JSON, one a line, over TCP or a unix socket: both ends in one program.
//
//     ./jsonl_rpc serve ADDRESS [LIMIT]        ADDRESS: a port (0: the kernel chooses) or a path
//     ./jsonl_rpc call ADDRESS [LIMIT]         requests from standard input, replies to the output
//
//     {"id": 1, "method": "add", "params": [2, 3]}         {"id":1,"result":5}
//     {"id": 2, "method": "dance"}                         {"error":"there is no dance","id":2}
//
// What there is to learn: LIMIT (default 64 KiB) bounds what a line can cost. A longer one is an
// error that names both sizes; it is thrown away as it arrives, and the next line is served.
#include <charconv>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include <weir/streams/streams.hpp>

namespace {

using nlohmann::json;

// ---- What can be called

json call_method(const std::string& method, const json& params) {
  if (method == "echo") return params;
  if (method == "length") return params.get_ref<const std::string&>().size();
  if (method == "add") {
    std::int64_t sum = 0;
    for (const json& number : params) sum += number.get<std::int64_t>();
    return sum;
  }
  throw weir::ValueError("there is no " + method);
}

json error_reply(const json& id, std::string_view text) { return {{"id", id}, {"error", text}}; }

/// The reply to one line. Whatever a client sends, it gets one.
std::string answer(std::string_view line) {
  json id;
  try {
    const json request = json::parse(line);
    id = request.value("id", json());
    const json params = request.value("params", json::array());
    return json({{"id", id}, {"result", call_method(request.at("method"), params)}}).dump();
  } catch (const std::exception& error) {
    return error_reply(id, error.what()).dump();
  }
}

// ---- Lines

/// One line, or why there is none.
struct Line {
  std::string text;            // Without its newline.
  std::uint64_t too_long = 0;  // Instead of a text: so many bytes were thrown away.
  bool end = false;            // Instead of a text: the stream has ended.
};

weir::Coro<Line> read_line(weir::StreamReader reader, std::ptrdiff_t limit) {
  Line line;
  try {
    line.text = co_await reader.readuntil("\n", {.limit = limit});
    co_return line;
  } catch (const weir::IncompleteReadError& error) {
    line.text = error.partial;  // The last line may come without a newline.
    line.end = error.partial.empty();
    co_return line;
  } catch (const weir::LimitOverrunError&) {  // A catch block cannot co_await: it goes on below.
  }
  line.too_long = co_await reader.discard_until("\n");
  co_return line;
}

std::string complaint(const Line& line, std::ptrdiff_t limit) {
  return "a line of " + std::to_string(line.too_long) + " bytes, but at most " +
         std::to_string(limit) + " are taken";
}

// ---- The two ends

weir::Coro<> serve_client(weir::StreamReader reader, weir::StreamWriter writer,
                          std::ptrdiff_t limit) {
  try {
    for (;;) {
      const Line line = co_await read_line(reader, limit);
      if (line.end) break;
      const std::string reply = line.too_long > 0
                                    ? error_reply(nullptr, complaint(line, limit)).dump()
                                    : answer(line.text);
      writer.writelines({reply, "\n"});
      co_await writer.drain();  // A client that does not read its replies is not read either.
    }
  } catch (const weir::EOFError&) {         // It ended inside a line that was too long.
  } catch (const weir::ConnectionError&) {  // Nobody is left to answer.
  }
  writer.close();
}

/// Standard input is read by a thread of the loop's pool: it may be a terminal, a file or a pipe.
weir::Coro<> send_requests(weir::StreamWriter writer) {
  for (;;) {
    std::optional<std::string> request =
        co_await weir::get_running_loop().run_in_executor([]() -> std::optional<std::string> {
          std::string line;
          if (!std::getline(std::cin, line)) return std::nullopt;
          return line + "\n";
        });
    if (!request) break;
    writer.write(*request);
    co_await writer.drain();
  }
  writer.write_eof();
}

/// Sends and receives at the same time. One after the other, two ends that both have much to say
/// could each wait for the other to read.
weir::Coro<> call_server(weir::Streams streams, std::ptrdiff_t limit) {
  const weir::Task<> sending = weir::create_task(send_requests(streams.writer));
  for (;;) {
    const Line line = co_await read_line(streams.reader, limit);
    if (line.end) break;
    const std::string reply =
        line.too_long > 0 ? error_reply(nullptr, complaint(line, limit)).dump() : line.text;
    std::fwrite(reply.data(), 1, reply.size(), stdout);
    std::fputs(reply.ends_with('\n') ? "" : "\n", stdout);
  }
  co_await sending;
  streams.writer.close();
  co_await streams.writer.wait_closed();
}

// ---- Addresses

/// A number is a port of 127.0.0.1, everything else the path of a unix socket.
std::optional<int> port_in(std::string_view address) {
  int port = 0;
  const char* const end = address.data() + address.size();
  const auto [rest, error] = std::from_chars(address.data(), end, port);
  if (error != std::errc() || rest != end) return std::nullopt;
  return port;
}

weir::Coro<> serve(std::string address, std::ptrdiff_t limit) {
  const auto client = [limit](weir::StreamReader reader, weir::StreamWriter writer) {
    return serve_client(std::move(reader), std::move(writer), limit);
  };
  std::optional<weir::Server> server;
  if (const std::optional<int> port = port_in(address)) {
    server = co_await weir::start_server(client, "127.0.0.1", *port);
    address = "127.0.0.1:" + std::to_string(server->sockets().front().getsockname().port());
  } else {
    server = co_await weir::start_unix_server(client, address);
  }
  std::printf("listening on %s\n", address.c_str());
  std::fflush(stdout);
  co_await server->serve_forever();
}

weir::Coro<> call(std::string address, std::ptrdiff_t limit) {
  const std::optional<int> port = port_in(address);
  if (port) {
    weir::Streams streams = co_await weir::open_connection("127.0.0.1", *port);
    co_await call_server(streams, limit);
  } else {
    weir::Streams streams = co_await weir::open_unix_connection(address);
    co_await call_server(streams, limit);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view role = argc > 2 ? argv[1] : "";
  const long limit = argc > 3 ? std::atol(argv[3]) : weir::default_limit_bytes;
  if (role == "serve") return weir::run(serve(argv[2], limit));
  if (role == "call") return weir::run(call(argv[2], limit));
  std::fputs("usage: jsonl_rpc serve|call ADDRESS [LIMIT]\n", stderr);
  return 2;
}
