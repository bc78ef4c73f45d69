// SPDX-License-Identifier: MIT
#include <tests/interop/sockets/side.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/streams/errors.hpp>

#include <tests/interop/sockets/sockets.hpp>

namespace weir::test {
namespace {

constexpr std::ptrdiff_t chunk_bytes = 64 * 1024;
constexpr std::size_t pattern_bytes = 251;

std::string pattern_of(std::string_view role) {
  const std::size_t factor = role == "client" ? 7 : 11;
  const std::size_t first = role == "client" ? 3 : 5;
  std::string pattern;
  for (std::size_t i = 0; i < pattern_bytes; ++i) {
    pattern += static_cast<char>((i * factor + first) % pattern_bytes);
  }
  return pattern;
}

bool has(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// CRC-32 of IEEE 802.3, as zlib has it: Python has it too.
std::uint32_t crc32(std::string_view data, std::uint32_t crc) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      std::uint32_t value = byte;
      for (int bit = 0; bit < 8; ++bit) {
        value = (value & 1) != 0 ? 0xedb88320U ^ (value >> 1) : value >> 1;
      }
      made[byte] = value;
    }
    return made;
  }();
  crc = ~crc;
  for (const char c : data) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

std::string joined(const std::vector<std::string>& parts, std::string_view glue) {
  std::string text;
  for (const std::string& part : parts) text.append(text.empty() ? "" : glue).append(part);
  return text;
}

bool may_wait(const Action& action) {
  return action.name == "drain" || action.name == "wait_closed" || action.name == "take";
}

}  // namespace

// ---- Spy

void Spy::connection_made(const std::shared_ptr<Transport>& transport) { side_->made(transport); }

void Spy::data_received(std::string_view data) {
  side_->arrived += data.size();
  if (inner_) {
    inner_->data_received(data);
  } else {
    side_->receive(data);
  }
  side_->called("data");
}

bool Spy::eof_received() {
  const bool keep = inner_ ? inner_->eof_received() : side_->keep_open;
  side_->called("eof");
  return keep;
}

void Spy::pause_writing() {
  if (inner_) inner_->pause_writing();
  side_->flow(true);
}

void Spy::resume_writing() {
  if (inner_) inner_->resume_writing();
  side_->flow(false);
}

void Spy::connection_lost(const std::exception_ptr& error) {
  side_->lost = error ? describe(error) : "none";
  if (inner_) inner_->connection_lost(error);
  side_->called("lost");
}

// ---- Side

Side::Side(std::string_view role, const std::vector<std::string>& words)
    : streams(has(words, "streams")),
      keep_open(!has(words, "eof-close")),
      pattern_(pattern_of(role)),
      idle_(has(words, "idle")) {}

void Side::made(const std::shared_ptr<Transport>& its_transport) {
  transport = its_transport;
  // Not at once: peer.py says why.
  if (idle_ && !streams) {
    get_running_loop().call_soon([its_transport] { its_transport->pause_reading(); });
  }
  called("made");
}

void Side::made_streams(StreamReader its_reader, StreamWriter its_writer) {
  reader_ = std::move(its_reader);
  writer_ = std::move(its_writer);
  const std::shared_ptr<Transport> its_transport = writer_->transport();
  its_transport->set_protocol(std::make_shared<Spy>(
      shared_from_this(), std::dynamic_pointer_cast<Protocol>(its_transport->get_protocol())));
  made(its_transport);
  if (!idle_) consume();
}

void Side::called(const std::string& name) {
  if (calls_.empty() || calls_.back() != name || name != "data") calls_.push_back(name);
  changed();
}

void Side::flow(bool now_paused) {
  alternates_ = alternates_ && paused_ != now_paused;
  paused_ = now_paused;
  was_paused_ = true;
  changed();
}

void Side::receive(std::string_view data) {
  received_ += data.size();
  crc_ = crc32(data, crc_);
  if (goal_ && received_ >= *goal_) {
    goal_.reset();
    transport->pause_reading();
  }
  changed();
}

void Side::changed() {
  std::erase_if(watchers_, [](auto& watcher) {
    if (!watcher.first()) return false;
    watcher.second.set_result();
    return true;
  });
}

void Side::perform(const std::string& text) {
  ++busy_;
  std::vector<Action> actions;
  for (const std::string& part : split(text, ';')) {
    const std::vector<std::string> words = split(part, ' ');
    Action action{words.front(), {}};
    for (std::size_t i = 1; i < words.size(); ++i) action.numbers.push_back(std::stoul(words[i]));
    actions.push_back(std::move(action));
  }
  get_running_loop().create_task(run_line(shared_from_this(), std::move(actions)));
}

Coro<> Side::run_line(std::shared_ptr<Side> side, std::vector<Action> actions) {
  for (const Action& action : actions) {
    const std::size_t slot = side->outcomes_.size();
    const bool waits = may_wait(action);
    if (waits) side->outcomes_.push_back(action.name + " pending");
    const Outcome<> result = co_await outcome(act(side, action));
    if (!waits && result.has_value()) continue;
    if (!waits) side->outcomes_.emplace_back();
    side->outcomes_[slot] =
        action.name + ' ' + (result.has_value() ? "ok" : describe(result.exception()));
  }
  --side->busy_;
  side->changed();
}

Coro<> Side::act(std::shared_ptr<Side> side, Action action) {
  if (action.name == "drain") {
    co_await side->writer_->drain();
  } else if (action.name == "wait_closed") {
    co_await side->writer_->wait_closed();
  } else if (action.name == "take") {
    co_await side->take(action.numbers.at(0));
  } else {
    side->act_at_once(action);
  }
}

void Side::act_at_once(const Action& action) {
  const std::string& name = action.name;
  if (name == "write" || name == "writelines") return write(action);
  if (name == "write_eof") return streams ? writer_->write_eof() : transport->write_eof();
  if (name == "close") return streams ? writer_->close() : transport->close();
  if (name == "abort") return transport->abort();
  if (name == "reset") return reset();
  if (name == "pause_reading") return transport->pause_reading();
  if (name == "resume_reading") return transport->resume_reading();
  if (name == "limits") {
    return transport->set_write_buffer_limits(static_cast<std::ptrdiff_t>(action.numbers.at(0)),
                                              static_cast<std::ptrdiff_t>(action.numbers.at(1)));
  }
  if (name == "stop") return stop();
  if (name == "consume") return resume();
  throw ValueError("no action called " + name);
}

std::string Side::piece(std::size_t size) {
  std::string bytes;
  bytes.reserve(size);
  for (std::size_t i = 0; i < size; ++i) bytes += pattern_[(written_ + i) % pattern_bytes];
  written_ += size;
  return bytes;
}

void Side::write(const Action& action) {
  std::vector<std::string> pieces;
  for (const std::size_t size : action.numbers) pieces.push_back(piece(size));
  const std::vector<std::string_view> views(pieces.begin(), pieces.end());
  if (action.name == "writelines") {
    return streams ? writer_->writelines(views) : transport->writelines(views);
  }
  return streams ? writer_->write(views.at(0)) : transport->write(views.at(0));
}

void Side::reset() {
  const linger at_once{1, 0};
  const int fd = transport->get_extra_info("socket").socket()->fd();
  if (::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) != 0) {
    throw_os_error(errno);
  }
  transport->abort();
}

void Side::resume() {
  goal_.reset();
  if (streams) return consume();
  transport->resume_reading();
  changed();
}

void Side::stop() {
  goal_.reset();
  if (!streams) return transport->pause_reading();
  if (consumer) consumer->cancel();
  consumer.reset();
}

Coro<> Side::take(std::size_t size) {
  if (streams) {
    const Outcome<std::string> got = co_await outcome(reader_->readexactly(std::ptrdiff_t(size)));
    if (got.has_value()) {
      receive(got.value());
      co_return;
    }
    try {
      std::rethrow_exception(got.exception());
    } catch (const IncompleteReadError& error) {
      receive(error.partial);
      throw;
    }
  } else {
    goal_ = received_ + size;
    transport->resume_reading();
    std::function<bool()> taken = [this] { return !goal_ || lost != "-"; };
    co_await until(std::move(taken));
  }
}

void Side::consume() {
  consumer = get_running_loop().create_task(run_consumer(shared_from_this(), *reader_));
}

Coro<> Side::run_consumer(std::shared_ptr<Side> side, StreamReader reader) {
  try {
    for (;;) {
      const std::string data = co_await reader.read(chunk_bytes);
      if (data.empty()) break;
      side->receive(data);
    }
    side->end_ = "eof";
  } catch (const std::exception&) {
    side->end_ = describe(std::current_exception());
  }
  side->changed();
}

Coro<> Side::until(std::function<bool()> holds) {
  if (holds()) co_return;
  Future<> reached = get_running_loop().create_future<void>();
  watchers_.emplace_back(std::move(holds), reached);
  co_await reached;
}

bool Side::holds(const std::vector<std::string>& condition) const {
  const std::string& name = condition.front();
  const auto number = [&] { return std::stoul(condition.at(1)); };
  if (name == "made") return transport != nullptr;
  if (name == "received") return received_ >= number();
  if (name == "arrived") return arrived >= number();
  if (name == "eof") return has(calls_, "eof");
  if (name == "ended") return end_ != "-" || (lost != "-" && !streams);
  if (name == "lost") return lost != "-";
  if (name == "paused") return paused_;
  if (name == "writable") return !paused_;
  if (name == "idle") return busy_ == 0;
  throw ValueError("no condition called " + name);
}

void Side::note_report(const ExceptionContext& context) {
  reports.push_back(context.message +
                    (context.exception ? " (" + describe(context.exception) + ")" : ""));
}

std::string Side::report() const {
  const auto word = [](bool value) { return value ? "yes" : "no"; };
  char crc[9];
  std::snprintf(crc, sizeof crc, "%08x", crc_);
  std::string text = "calls=" + joined(calls_, " ");
  text += "\treceived=" + std::to_string(received_);
  text.append("\tcrc=").append(crc);
  text += "\tend=" + end_;
  text += "\tlost=" + lost;
  text.append("\tpaused=").append(word(was_paused_));
  text.append("\talternates=").append(word(alternates_));
  text += "\toutcomes=" + joined(outcomes_, " | ");
  text.append("\tclosing=").append(word(transport && transport->is_closing()));
  text += "\tbusy=" + std::to_string(busy_);
  text += "\treports=" + joined(reports, " | ");
  return text;
}

void Side::let_go() {
  transport.reset();
  reader_.reset();
  writer_.reset();
  consumer.reset();
  watchers_.clear();
}

}  // namespace weir::test
