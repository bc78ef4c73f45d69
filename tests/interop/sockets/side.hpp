// Internal: used by peer.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/net/protocol.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/log.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/streams/stream_reader.hpp>
#include <weir/streams/stream_writer.hpp>

namespace weir::test {

/// One action of a line: its name, and numbers.
struct Action {
  std::string name;
  std::vector<std::size_t> numbers;
};

/// One end of a connection: what is done with it, and what it has seen. The same as class Side of
/// peer.py, name by name.
class Side : public std::enable_shared_from_this<Side> {
 public:
  Side(std::string_view role, const std::vector<std::string>& words);

  // ---- What the transport calls, through Spy

  void made(const std::shared_ptr<Transport>& its_transport);
  void made_streams(StreamReader its_reader, StreamWriter its_writer);
  void called(const std::string& name);
  void flow(bool now_paused);
  void receive(std::string_view data);
  void changed();

  // ---- What the driver says

  void perform(const std::string& text);
  void consume();
  Coro<> until(std::function<bool()> holds);

  // ---- What the driver asks

  bool holds(const std::vector<std::string>& condition) const;
  void note_report(const ExceptionContext& context);
  std::string report() const;
  /// Drops everything that points back here.
  void let_go();

  std::shared_ptr<Transport> transport;
  std::optional<Task<>> consumer;
  std::string lost = "-";
  std::vector<std::string> reports;
  std::size_t arrived = 0;
  bool streams;
  bool keep_open;

 private:
  static Coro<> run_line(std::shared_ptr<Side> side, std::vector<Action> actions);
  static Coro<> run_consumer(std::shared_ptr<Side> side, StreamReader reader);
  static Coro<> act(std::shared_ptr<Side> side, Action action);
  Coro<> take(std::size_t size);
  void act_at_once(const Action& action);
  void write(const Action& action);
  void reset();
  void resume();
  void stop();
  std::string piece(std::size_t size);

  std::optional<StreamReader> reader_;
  std::optional<StreamWriter> writer_;
  std::string pattern_;
  std::vector<std::string> calls_;
  std::vector<std::string> outcomes_;
  std::vector<std::pair<std::function<bool()>, Future<>>> watchers_;
  std::optional<std::size_t> goal_;  // Protocol style: pause once so much has been received.
  std::string end_ = "-";
  std::size_t written_ = 0;
  std::size_t received_ = 0;
  std::uint32_t crc_ = 0;
  int busy_ = 0;
  bool idle_;
  bool paused_ = false;
  bool was_paused_ = false;
  bool alternates_ = true;
};

/// Stands between transport and protocol; in protocol style it is the protocol.
class Spy final : public Protocol {
 public:
  explicit Spy(std::shared_ptr<Side> side, std::shared_ptr<Protocol> inner = nullptr)
      : side_(std::move(side)), inner_(std::move(inner)) {}

  void connection_made(const std::shared_ptr<Transport>& transport) override;
  void data_received(std::string_view data) override;
  bool eof_received() override;
  void pause_writing() override;
  void resume_writing() override;
  void connection_lost(const std::exception_ptr& error) override;

 private:
  std::shared_ptr<Side> side_;
  std::shared_ptr<Protocol> inner_;
};

}  // namespace weir::test
