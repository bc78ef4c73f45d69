// SPDX-License-Identifier: MIT
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <weir/net/socket_transport.hpp>
#include <weir/net/testing/checked_protocol.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/log.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>

#include <tests/fuzz/choices.hpp>
#include <tests/fuzz/targets.hpp>

namespace weir::fuzz {
namespace {

/// What a callback throws on purpose.
struct Boom : std::runtime_error {
  Boom() : std::runtime_error("boom") {}
};

/// Byte number `at` of everything that is ever sent: so that a byte lost, doubled or moved shows.
char byte_at(std::size_t at) { return static_cast<char>(at * 7 % 251); }

std::string bytes_from(std::size_t at, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = byte_at(at++);
  return bytes;
}

bool is_boom(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Boom&) {
    return true;
  } catch (...) {
    return false;
  }
}

class Connection;

/// Tells the connection what it hears; the connection decides what it does then.
class Listening final : public Protocol {
 public:
  explicit Listening(Connection& its) : its_(its) {}
  void connection_made(const std::shared_ptr<Transport>&) override;
  void data_received(std::string_view data) override;
  bool eof_received() override;
  void pause_writing() override;
  void resume_writing() override;
  void connection_lost(const std::exception_ptr& error) override;

 private:
  Connection& its_;
};

class Buffering final : public BufferedProtocol {
 public:
  explicit Buffering(Connection& its) : its_(its) {}
  void connection_made(const std::shared_ptr<Transport>&) override;
  std::span<char> get_buffer(std::ptrdiff_t) override;
  void buffer_updated(std::size_t bytes) override;
  bool eof_received() override;
  void pause_writing() override;
  void resume_writing() override;
  void connection_lost(const std::exception_ptr& error) override;

 private:
  Connection& its_;
  std::string room_;
};

/// A transport, its peer and its kernel; what they do the input decides, what they have done is
/// checked at once.
class Connection {
 public:
  explicit Connection(Choices& choices) : choices_(choices) {
    loop_.set_exception_handler([](EventLoop&, const ExceptionContext& report) {
      require(is_boom(report.exception),
              "nothing is reported but what a callback threw: " + to_string(report));
    });
    loop_.set_log_sink([](LogLevel, std::string_view) {});
    kernel_.set_ready_filter([this](std::vector<Ready>& ready) { disturb(ready); });
    const int listener = kernel_.listen_on(port);
    int error = 0;
    Socket socket = Socket::open(kernel_, AF_INET, SOCK_STREAM, IPPROTO_TCP, error);
    require(error == 0 && socket.connect(*Endpoint::parse("127.0.0.1", port)) == 0, "connected");
    ours_ = socket.fd();
    peer_ = kernel_.accept_from(listener);
    kernel_.close(listener);
    transport_ =
        detail::SocketTransport::start(loop_, std::move(socket), make_protocol(), {}, nullptr, {});
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void run() {
    constexpr int most_steps = 300;
    for (int steps = most_steps; steps > 0 && !choices_.empty(); --steps) {
      step();
      check();
    }
    heal();
    end();
  }

  // ---- What protocols hear

  void made() { act(Throws::reported); }
  void received(std::string_view data) {
    require(!paused_, "no data while reading is paused");
    require(!transport_->is_closing(), "no data once closing");
    require(received_ + data.size() <= put_, "no more data than was sent");
    for (const char byte : data) require(byte == byte_at(received_++), "data as it was sent");
    act(Throws::fatal);
  }
  std::size_t room_wanted() {
    const std::size_t room = choices_.one_in(4) ? 1 + choices_.roll(4) : 100;
    act(Throws::fatal);
    return room;
  }
  bool ended() {
    require(put_eof_ && received_ == put_, "the end comes last");
    heard_eof_ = true;
    act(Throws::fatal);
    return choices_.one_in(2);
  }
  void flow() { act(Throws::reported); }
  void lost(const std::exception_ptr& error) {
    require(error != nullptr || !threw_, "what a callback throws ends the connection");
    require(error == nullptr || broken_ || (threw_ && is_boom(error)), "lost by what went wrong");
    failed_ = error != nullptr;
    lost_ = true;
    act(Throws::reported);
  }

 private:
  static constexpr std::uint16_t port = 4000;
  /// What becomes of an exception.
  enum class Throws { never, reported, fatal };

  std::shared_ptr<BaseProtocol> make_protocol() {
    const testing::CallGrammar* const before = grammar_;
    const auto complain = [](const std::string& complaint) { require(false, complaint); };
    std::shared_ptr<BaseProtocol> made;
    if (choices_.one_in(2)) {
      auto checked = std::make_shared<testing::CheckedBufferedProtocol>(
          std::make_shared<Buffering>(*this), complain);
      grammar_ = &checked->grammar();
      made = std::move(checked);
    } else {
      auto checked =
          std::make_shared<testing::CheckedProtocol>(std::make_shared<Listening>(*this), complain);
      grammar_ = &checked->grammar();
      made = std::move(checked);
    }
    if (before != nullptr) grammar_->take_over_from(*before);
    protocols_.push_back(made);
    return made;
  }

  // ---- Ourselves

  /// Most bytes are gathered; some sizes are not, some do not fit.
  std::size_t some_size() {
    constexpr std::size_t sizes[] = {1, 0, 5, 300, 16 * 1024 - 1, 16 * 1024, 70'000};
    return sizes[choices_.roll(std::size(sizes))];
  }

  void write(bool in_pieces) {
    std::vector<std::string> pieces(in_pieces ? choices_.roll(70) : 1);
    const std::size_t before = offered_;
    for (std::string& piece : pieces) {
      piece = bytes_from(offered_, in_pieces ? choices_.roll(5) : some_size());
      offered_ += piece.size();
    }
    const bool refuses = asked_eof_;
    if (!refuses && !transport_->is_closing()) owed_ = offered_;
    bool refused = false;
    try {  // It may call pause_writing(), which may write, too.
      if (in_pieces) {
        const std::vector<std::string_view> views(pieces.begin(), pieces.end());
        transport_->writelines(views);
      } else {
        transport_->write(pieces[0]);
      }
    } catch (const RuntimeError&) {
      refused = true;
    }
    require(refused == refuses, "a write is refused after write_eof(), and only then");
    if (refused) offered_ = before;
  }
  void write_eof() {
    if (!transport_->is_closing()) asked_eof_ = true;
    try {
      transport_->write_eof();
    } catch (const OSError&) {
      require(broken_, "shutdown() fails when the connection is broken");
    }
  }
  void set_limits() {
    const auto high = static_cast<std::ptrdiff_t>(some_size());
    try {
      transport_->set_write_buffer_limits(high, static_cast<std::ptrdiff_t>(choices_.roll(300)));
    } catch (const ValueError&) {
    }
  }

  /// Something that a program might do, also from inside a callback.
  void act(Throws throws) {
    if (!grammar_->made()) return;  // Until then nobody has the transport.
    switch (choices_.roll(24)) {
      case 1:
      case 2:
      case 3: return write(false);
      case 4: return write(true);
      case 5: return write_eof();
      case 6: return transport_->close();
      case 7: aborted_ = true; return transport_->abort();
      case 8:
      case 9: paused_ = paused_ || !transport_->is_closing(); return transport_->pause_reading();
      case 10:
      case 11:
        if (!transport_->is_closing()) paused_ = false;
        return transport_->resume_reading();
      case 12: return set_limits();
      case 13: return transport_->set_gather(choices_.one_in(2));
      case 14:
        if (!lost_) transport_->set_protocol(make_protocol());
        return;
      case 15: transport_->get_extra_info("socket"); return;
      case 16:
        if (throws == Throws::never) return;
        threw_ = threw_ || throws == Throws::fatal;
        throw Boom();
      default: return;
    }
  }

  // ---- The others

  void step() {
    switch (choices_.roll(16)) {
      case 0:
      case 1:
      case 2: return run_loop();
      case 3: return pass();
      case 4:
      case 5: return act(Throws::never);
      case 6:
      case 7: loop_.call_soon([this] { act(Throws::never); }); return;
      case 8:
      case 9: return put();
      case 10: return take();
      case 11: return end_peer();
      case 12: return set_kernel_limits();
      case 13: return script_failure();
      case 14: disturbance_ = choices_.roll(4); return;
      default: kernel_.advance(std::chrono::seconds(choices_.roll(100))); return;
    }
  }
  void pass() {
    loop_.stop();
    loop_.run_forever();
  }
  void run_loop() {
    polls_without_progress_ = 0;
    loop_.call_later(std::chrono::milliseconds(1), [this] { loop_.stop(); });
    loop_.run_forever();
  }
  void put() {
    if (peer_ < 0 || put_eof_ || broken_) return;
    const std::size_t size = some_size();
    kernel_.put(peer_, bytes_from(put_, size));
    put_ += size;
  }
  void take() {
    if (peer_ < 0) return;
    for (const char byte : kernel_.take(peer_)) {
      require(taken_ < offered_ && byte == byte_at(taken_), "the peer gets what was written");
      ++taken_;
    }
  }
  void end_peer() {
    if (peer_ < 0) return;
    take();
    switch (choices_.roll(6)) {
      case 0: broken_ = true; return kernel_.reset(peer_);
      case 1:
        broken_ = true;
        kernel_.close(std::exchange(peer_, -1));
        put_eof_ = true;
        return;
      default: put_eof_ = true; return kernel_.put_eof(peer_);
    }
  }
  void set_kernel_limits() {
    constexpr std::size_t sizes[] = {0, 61, 300, 5000};  // One byte at a time is slow.
    switch (choices_.roll(3)) {
      case 0: return kernel_.set_max_recv(sizes[choices_.roll(std::size(sizes))]);
      case 1: return kernel_.set_max_send(sizes[choices_.roll(std::size(sizes))]);
      default:
        if (!lost_) kernel_.set_capacity(ours_, some_size());
    }
  }
  /// Nothing happens, or the connection breaks.
  void script_failure() {
    constexpr int errors[] = {EAGAIN, EINTR, ECONNRESET, EPIPE, ENOBUFS, ETIMEDOUT};
    constexpr Call calls[] = {Call::recv, Call::send};
    const int error = errors[choices_.roll(std::size(errors))];
    broken_ = broken_ || (error != EAGAIN && error != EINTR);
    ++failures_;
    kernel_.script(calls[choices_.roll(std::size(calls))], {.error = error});
  }
  /// Once: an event that comes twice, comes late, or says too much.
  void disturb(std::vector<Ready>& ready) {
    const std::size_t waiting = transport_->get_write_buffer_size();
    const bool moved = progress_ != std::pair(received_, waiting);
    progress_ = {received_, waiting};
    polls_without_progress_ = moved || ready.empty() ? 0 : polls_without_progress_ + 1;
    require(polls_without_progress_ <= 3 + failures_, "the loop does not spin");
    switch (std::exchange(disturbance_, 0)) {
      case 1: ready.insert(ready.end(), ready.begin(), ready.end()); return;
      case 2: return ready.clear();
      case 3:
        for (Ready& one : ready) one.readable = one.writable = true;
        return;
      default: return;
    }
  }

  // ---- What must hold

  void check() {
    require(kernel_.misuses().empty(), "no descriptor is misused");
    if (transport_->is_closing()) return;
    const std::size_t waiting = transport_->get_write_buffer_size();
    require(taken_ + waiting <= offered_, "what waits is not more than what was written");
  }

  /// The peer reads on, nothing fails any more, nobody pauses: what was sent must arrive.
  void heal() {
    for (const Call call : {Call::recv, Call::send}) kernel_.clear(call);
    kernel_.set_max_recv(0);
    kernel_.set_max_send(0);
    disturbance_ = 0;
    paused_ = paused_ && transport_->is_closing();
    transport_->resume_reading();
    if (!lost_) kernel_.set_capacity(ours_, FakeKernel::default_capacity_bytes);
    for (std::size_t before = SIZE_MAX; before != received_ + taken_;) {
      before = received_ + taken_;
      run_loop();
      take();
    }
    check();
    if (transport_->is_closing()) return;
    require(transport_->get_write_buffer_size() == 0, "everything written has been sent");
    require(broken_ || received_ == put_, "everything sent has been received");
    require(broken_ || heard_eof_ == put_eof_, "the end of the stream has been heard");
  }

  void end() {
    if (choices_.one_in(4)) {
      loop_.close();  // Instead of the transport.
      aborted_ = true;
    } else {
      transport_->close();
      run_loop();
      take();
    }
    require(lost_, "the connection has been lost");
    grammar_->check();
    require(failed_ || aborted_ || broken_ || taken_ >= owed_, "nothing written was lost");
    if (peer_ >= 0) require(kernel_.at_eof(peer_), "the peer sees the end");
    require(kernel_.registered_fds().empty(), "nothing is watched any more");
    require(kernel_.open_fds().size() == (peer_ >= 0 ? 1 : 0), "the descriptor is closed");
    require(transport_->get_protocol() == nullptr, "the protocol is let go of");
    if (!loop_.is_closed()) loop_.close();
    require(kernel_.misuses().empty(), "no descriptor is misused");
  }

  Choices& choices_;
  FakeKernel kernel_;
  EventLoop loop_{kernel_};
  std::vector<std::shared_ptr<BaseProtocol>> protocols_;
  testing::CallGrammar* grammar_ = nullptr;  // Of the last one.
  std::shared_ptr<detail::SocketTransport> transport_;
  int ours_ = -1;
  int peer_ = -1;                                 // -1: it has closed.
  std::size_t offered_ = 0;                       // Written by us, and not refused,
  std::size_t owed_ = 0;                          // while the transport was open,
  std::size_t taken_ = 0;                         // and read by the peer.
  std::size_t put_ = 0;                           // Sent by the peer,
  std::size_t received_ = 0;                      // and heard by a protocol.
  std::pair<std::size_t, std::size_t> progress_;  // Received, waiting: at the last poll.
  std::size_t polls_without_progress_ = 0;
  std::size_t failures_ = 0;  // Scripted, so far: each may cost a poll.
  std::size_t disturbance_ = 0;
  bool paused_ = false;
  bool put_eof_ = false;
  bool heard_eof_ = false;
  bool asked_eof_ = false;
  bool aborted_ = false;
  bool broken_ = false;  // Reset, or a system call failed.
  bool threw_ = false;   // A callback whose exception is fatal.
  bool failed_ = false;
  bool lost_ = false;
};

void Listening::connection_made(const std::shared_ptr<Transport>&) { its_.made(); }
void Listening::data_received(std::string_view data) { its_.received(data); }
bool Listening::eof_received() { return its_.ended(); }
void Listening::pause_writing() { its_.flow(); }
void Listening::resume_writing() { its_.flow(); }
void Listening::connection_lost(const std::exception_ptr& error) { its_.lost(error); }

void Buffering::connection_made(const std::shared_ptr<Transport>&) { its_.made(); }
std::span<char> Buffering::get_buffer(std::ptrdiff_t) {
  room_.assign(its_.room_wanted(), '?');
  return room_;
}
void Buffering::buffer_updated(std::size_t bytes) { its_.received({room_.data(), bytes}); }
bool Buffering::eof_received() { return its_.ended(); }
void Buffering::pause_writing() { its_.flow(); }
void Buffering::resume_writing() { its_.flow(); }
void Buffering::connection_lost(const std::exception_ptr& error) { its_.lost(error); }

}  // namespace

void transport(std::string_view input) {
  Choices choices(input);
  Connection(choices).run();
}

}  // namespace weir::fuzz
