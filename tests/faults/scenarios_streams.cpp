// SPDX-License-Identifier: MIT
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/timeouts.hpp>
#include <weir/streams/streams.hpp>

#include <tests/faults/party.hpp>
#include <tests/faults/scenario_lists.hpp>

// Streams: weir at both ends, or against a peer that the machine plays.

namespace weir::faults {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t port = 7000;

/// Tells of what a handler throws, and goes on.
Coro<> tell_errors(Stage stage, std::string who, Coro<> body) {
  const Outcome<> ended = co_await outcome(std::move(body));
  if (ended.exception() && !ended.cancelled()) {
    stage.oracle.told(Place::call, who, ended.exception());
  }
}

/// How the connection ended, told.
Coro<> tell_end(Stage stage, std::string who, StreamWriter writer) {
  writer.close();
  const std::exception_ptr error = co_await writer.wait_closed_error();
  if (error) stage.oracle.told(Place::lost, who, error);
}

/// Both ends of a stream, the other one the machine's.
struct Line {
  Line(Streams streams, Peer its_peer)
      : reader(std::move(streams.reader)),
        writer(std::move(streams.writer)),
        guard(std::make_unique<TransportGuard>(writer.transport())),
        peer(std::move(its_peer)) {}
  StreamReader reader;
  StreamWriter writer;
  std::unique_ptr<TransportGuard> guard;
  Peer peer;
};

Coro<Line> open_line(Stage stage, OpenOptions options = {},
                     std::size_t capacity = FakeKernel::default_capacity_bytes) {
  int fds[2];
  {
    const Exempt exempt;
    static_cast<void>(stage.machine.socketpair(AF_UNIX, SOCK_STREAM, fds));
    stage.machine.set_capacity(fds[0], capacity);
  }
  Peer peer(stage, fds[1]);
  Socket socket(stage.kernel, fds[0]);
  options.sock = &socket;
  Streams streams = co_await open_connection(options);
  co_return Line(std::move(streams), std::move(peer));
}

// ---- weir at both ends

Coro<> echo_lines(StreamReader reader, StreamWriter writer) {
  const TransportGuard guard(writer.transport());
  while (const std::optional<std::string> line = co_await reader.next_line()) {
    writer.write(*line);
    co_await writer.drain();
  }
  writer.close();
  co_await writer.wait_closed();
}

Coro<> say_lines(Stage stage, StreamReader reader, StreamWriter writer) {
  const TransportGuard guard(writer.transport());
  Flow& flow = stage.oracle.flow("lines");
  for (const char* line : {"one\n", "two\n", "three\n"}) {
    flow.sent += line;
    writer.write(line);
    co_await writer.drain();
    flow.received += co_await reader.readline();
  }
  writer.write_eof();
  const std::string rest = co_await reader.read();
  flow.received += rest;
  writer.close();
  co_await writer.wait_closed();
  stage.oracle.result("said");
}

Coro<> stream_echo(Stage stage) {
  const auto serve = [stage](StreamReader reader, StreamWriter writer) {
    return tell_errors(stage, "server", echo_lines(std::move(reader), std::move(writer)));
  };
  const Server server = co_await start_server(serve, "127.0.0.1", port);
  const ServerGuard guard(server);
  Streams streams = co_await open_connection("127.0.0.1", port);
  co_await say_lines(stage, streams.reader, streams.writer);
  server.close();
  co_await server.wait_closed();
  stage.oracle.result("closed");
}

/// Three clients at a time; the first failure is told when all have ended.
Coro<> open_and_say(Stage stage, std::string name) {
  Streams streams = co_await open_connection("127.0.0.1", port);
  const TransportGuard guard(streams.writer.transport());
  Flow& flow = stage.oracle.flow(name);
  flow.sent = name + "\n";
  streams.writer.write(flow.sent);
  flow.received = co_await streams.reader.readline();
  streams.writer.close();
  co_await streams.writer.wait_closed();
}

Coro<> gathered_clients(Stage stage) {
  const auto serve = [stage](StreamReader reader, StreamWriter writer) {
    return tell_errors(stage, "server", echo_lines(std::move(reader), std::move(writer)));
  };
  const Server server = co_await start_server(serve, "127.0.0.1", port);
  const ServerGuard guard(server);
  auto all = gather(return_exceptions, open_and_say(stage, "a"), open_and_say(stage, "b"),
                    open_and_say(stage, "c"));
  stage.oracle.must_end("gather()", all);
  const auto outcomes = co_await all;
  std::get<0>(outcomes).value();
  std::get<1>(outcomes).value();
  std::get<2>(outcomes).value();
  server.close();
  co_await server.wait_closed();
  stage.oracle.result("all-served");
}

// ---- Reading

Coro<> read_records(Stage stage) {
  Line line = co_await open_line(stage, {.limit = 32});
  Flow& flow = stage.oracle.flow("records");
  flow.sent = "short;" + text_of(100) + ";middle;head\nrest";
  line.peer.put(flow.sent);
  line.peer.put_eof();
  flow.received += co_await line.reader.readuntil(";");
  const Outcome<std::string> too_long = co_await outcome(line.reader.readuntil(";"));
  if (!too_long.failed_with<LimitOverrunError>()) static_cast<void>(too_long.value());
  const std::size_t gone = co_await line.reader.discard_until(";");
  flow.received += flow.sent.substr(flow.received.size(), gone);
  flow.received += co_await line.reader.readuntil(";");
  flow.received += co_await line.reader.readexactly(5);
  flow.received += co_await line.reader.read();
  co_await tell_end(stage, "reader", line.writer);
  stage.oracle.result("read-" + std::to_string(gone));
}

Coro<> peer_goes_mid_record(Stage stage) {
  Line line = co_await open_line(stage);
  line.peer.put("half a rec");
  line.peer.put_eof();
  const Outcome<std::string> record = co_await outcome(line.reader.readuntil("ord"));
  if (!record.failed_with<IncompleteReadError>()) static_cast<void>(record.value());
  co_await tell_end(stage, "reader", line.writer);
  stage.oracle.result("incomplete");
}

Coro<> read_timeouts(Stage stage) {
  Line line = co_await open_line(stage);
  Flow& flow = stage.oracle.flow("late");
  line.reader.set_read_timeout(100ms);
  const Outcome<std::string> nothing = co_await outcome(line.reader.readline());
  if (!nothing.failed_with<TimeoutError>()) static_cast<void>(nothing.value());
  const Outcome<std::string> again = co_await outcome(wait_for(line.reader.readline(), 50ms));
  if (!again.failed_with<TimeoutError>()) static_cast<void>(again.value());
  line.reader.set_read_timeout(std::nullopt);
  flow.sent = "late\n";
  line.peer.put(flow.sent);
  flow.received = co_await line.reader.readline();
  line.reader.set_idle_timeout(200ms);
  const Outcome<std::string> idle = co_await outcome(line.reader.readline());
  if (!idle.failed_with<TimeoutError>()) static_cast<void>(idle.value());
  co_await tell_end(stage, "reader", line.writer);
  stage.oracle.result("timed-out");
}

// ---- Writing

/// Ends a helper of a scenario, whatever happens: it rests on what the scenario's frame holds.
class Helper {
 public:
  explicit Helper(Coro<> work) : task_(create_task(std::move(work))) {}
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;
  ~Helper() { task_.cancel(); }
  const Task<>& task() const noexcept { return task_; }

 private:
  Task<> task_;
};

Coro<> keep_taking(Line* line, Flow* flow) {
  for (;;) {
    line->peer.take(*flow);
    co_await sleep(1ms);
  }
}

Coro<> write_with_drains(Line* line, Flow* flow) {
  for (int i = 0; i < 6; ++i) {
    const std::string piece = text_of(150);
    flow->sent += piece;
    line->writer.write(piece);
    co_await line->writer.drain();
  }
}

Coro<> drain(Stage stage) {
  Line line = co_await open_line(stage, {}, 100);
  Flow& flow = stage.oracle.flow("drained");
  line.writer.transport()->set_write_buffer_limits(200, 50);
  const Helper taking(keep_taking(&line, &flow));
  co_await write_with_drains(&line, &flow);
  line.writer.close();
  co_await line.writer.wait_closed();
  line.peer.take(flow);
  stage.oracle.result("drained");
}

Coro<> drain_times_out(Stage stage) {
  Line line = co_await open_line(stage, {}, 100);
  line.writer.transport()->set_write_buffer_limits(200, 50);
  line.writer.set_write_timeout(300ms);
  line.writer.write(text_of(1000));
  const Outcome<> stuck = co_await outcome(line.writer.drain());
  if (!stuck.failed_with<TimeoutError>()) stuck.value();
  line.writer.transport()->abort();
  co_await tell_end(stage, "writer", line.writer);
  stage.oracle.result("timed-out");
}

template <bool peer_reads>
Coro<> close_within(Stage stage) {
  Line line = co_await open_line(stage, {}, 100);
  Flow& flow = stage.oracle.flow("flushed");
  flow.sent = text_of(400);
  line.writer.write(flow.sent);
  const Task<bool> closing = create_task(line.writer.close_within(2s));
  stage.oracle.must_end("close_within()", closing);
  co_await until([&] {
    if (peer_reads) line.peer.take(flow);
    return closing.done();
  });
  const bool all_sent = co_await closing;
  if (peer_reads) {
    line.peer.take(flow);
  } else {
    flow.sent.clear();
  }
  co_await tell_end(stage, "writer", line.writer);
  stage.oracle.result(all_sent ? "all-sent" : "cut");
}

// ---- Cancellation

Coro<> take_until_eof(Line* line) {
  while (!line->peer.at_eof()) {
    static_cast<void>(line->peer.take());
    co_await sleep(1ms);
  }
}

/// A transfer that waits in every way that there is. Whoever starts it gets its writer, so that he
/// can see how the connection has ended.
Coro<> transfer(Stage stage, std::optional<StreamWriter>* made) {
  Line line = co_await open_line(stage, {}, 100);
  made->emplace(line.writer);
  line.writer.transport()->set_write_buffer_limits(100, 20);
  line.peer.put("question\n");
  const std::string question = co_await line.reader.readline();
  line.writer.write(question + text_of(250));
  const Helper reading(take_until_eof(&line));
  co_await line.writer.drain();
  line.writer.write_eof();
  co_await wait_for(reading.task(), 1s);
  line.writer.close();
  co_await line.writer.wait_closed();
}

/// The transfer, cancelled at its first await, then at its second, and so on.
Coro<> cancelled_at_each_await(Stage stage) {
  int cancelled = 0;
  for (std::uint32_t at = 1; at <= 8; ++at) {
    std::optional<StreamWriter> writer;
    const Helper helper(transfer(stage, &writer));
    const Task<>& task = helper.task();
    stage.oracle.must_end("transfer", task);
    static_cast<weir::detail::TaskState<void>&>(task.state()).cancel_at_wait(at);
    co_await until([&] { return task.done(); });  // Not of the task itself: cancelled, it ends us.
    cancelled += task.cancelled() ? 1 : 0;
    if (!task.cancelled() && task.exception()) {
      stage.oracle.told(Place::call, "transfer", task.exception());
    }
    if (writer) co_await tell_end(stage, "transfer", *writer);
  }
  stage.oracle.result("cancelled-" + std::to_string(cancelled));
}

constexpr Scenario list[] = {
    {"stream_echo", stream_echo},
    {"gathered_clients", gathered_clients},
    {"read_records", read_records},
    {"peer_goes_mid_record", peer_goes_mid_record},
    {"read_timeouts", read_timeouts},
    {"drain", drain},
    {"drain_times_out", drain_times_out},
    {"close_within", close_within<true>},
    {"close_within_cut", close_within<false>},
    {"cancelled_at_each_await", cancelled_at_each_await},
};

}  // namespace

std::span<const Scenario> stream_scenarios() { return list; }

}  // namespace weir::faults
