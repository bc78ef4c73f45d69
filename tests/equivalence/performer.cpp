// SPDX-License-Identifier: MIT
//
// Performs a script with a real EventLoop on one back end.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/unique_fd.hpp>

#include <tests/equivalence/system.hpp>

namespace equivalence {
namespace {

using weir::Duration;
using weir::Interest;
using weir::IoResult;
using weir::Kernel;
using weir::Poller;
using weir::Ready;
using weir::UniqueFd;

/// What stands between the loop and the poller. The order within a batch is nobody's promise: here
/// it is that of the slots, so that callbacks that act on each other do the same everywhere.
class SortedPoller final : public Poller {
 public:
  using Rank = std::function<std::size_t(int fd)>;
  SortedPoller(std::unique_ptr<Poller> poller, Rank rank, std::vector<std::string>& complaints)
      : poller_(std::move(poller)), rank_(std::move(rank)), complaints_(complaints) {}

  const char* name() const noexcept override { return poller_->name(); }
  int set(int fd, std::uint32_t generation, Interest interest) override {
    return poller_->set(fd, generation, interest);
  }
  int wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override {
    std::vector<Ready> found;
    const int error = poller_->wait(timeout, found);
    std::stable_sort(found.begin(), found.end(),
                     [this](const Ready& a, const Ready& b) { return rank_(a.fd) < rank_(b.fd); });
    for (std::size_t i = 1; i < found.size(); ++i) {
      if (found[i].fd == found[i - 1].fd) complaints_.push_back("a descriptor twice in a batch");
    }
    ready.insert(ready.end(), found.begin(), found.end());
    return error;
  }
  void wake() noexcept override { poller_->wake(); }

 private:
  std::unique_ptr<Poller> poller_;
  Rank rank_;
  std::vector<std::string>& complaints_;
};

/// The kernel as the loop sees it. A loop without transports asks for a clock and a poller only.
class LoopKernel final : public Kernel {
 public:
  LoopKernel(Kernel& inner, std::function<std::unique_ptr<Poller>()> make)
      : inner_(inner), make_(std::move(make)) {}

  weir::TimePoint now() override { return inner_.now(); }
  std::unique_ptr<Poller> make_poller() override { return make_(); }
  std::unique_ptr<weir::Executor> make_executor(std::size_t threads) override {
    return inner_.make_executor(threads);
  }
  int signal_action(int number, const struct sigaction* action, struct sigaction* old) override {
    return inner_.signal_action(number, action, old);
  }

  IoResult socket(int, int, int) override { return {0, ENOSYS}; }
  int socketpair(int, int, int (&)[2]) override { return ENOSYS; }
  int bind(int, const sockaddr*, std::uint32_t) override { return ENOSYS; }
  int listen(int, int) override { return ENOSYS; }
  IoResult accept(int, sockaddr*, std::uint32_t*) override { return {0, ENOSYS}; }
  int connect(int, const sockaddr*, std::uint32_t) override { return ENOSYS; }
  IoResult recv(int, std::span<const iovec>) override { return {0, ENOSYS}; }
  IoResult send(int, std::span<const iovec>) override { return {0, ENOSYS}; }
  IoResult sendfile(int, int, std::int64_t, std::size_t) override { return {0, ENOSYS}; }
  IoResult pread(int, std::span<char>, std::int64_t) override { return {0, ENOSYS}; }
  int shutdown(int, int) override { return ENOSYS; }
  int close(int) override { return ENOSYS; }
  int set_nonblocking(int) override { return ENOSYS; }
  int getsockopt(int, int, int, void*, std::uint32_t*) override { return ENOSYS; }
  int setsockopt(int, int, int, const void*, std::uint32_t) override { return ENOSYS; }
  int getsockname(int, sockaddr*, std::uint32_t*) override { return ENOSYS; }
  int getpeername(int, sockaddr*, std::uint32_t*) override { return ENOSYS; }
  int stat(const char*, struct ::stat*) override { return ENOSYS; }
  int unlink(const char*) override { return ENOSYS; }
  int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**, int*) override {
    return ENOSYS;
  }
  void freeaddrinfo(addrinfo*) override {}

 private:
  Kernel& inner_;
  std::function<std::unique_ptr<Poller>()> make_;
};

class Performer {
 public:
  explicit Performer(const BackEnd& back_end)
      : system_(back_end.make()),
        loop_kernel_(system_->kernel(), [this] { return make_poller(); }),
        loop_(loop_kernel_) {}
  Performer(const Performer&) = delete;
  Performer& operator=(const Performer&) = delete;
  ~Performer() { loop_.close(); }

  void perform(const Step& step) {
    if (step.deferred) return model_.defer(step);
    if (!model_.applies(step)) return;
    if (step.action == Action::poll) return poll();
    act(step);
    static_cast<void>(model_.apply(step));
    if (step.action == Action::read) trace_.push_back(name_of(step.slot) + " reads " + answer_);
  }

  Trace take() {
    const std::string complaints = system_->complaints();
    if (!complaints.empty()) trace_.push_back(complaints);
    return std::move(trace_);
  }

 private:
  struct Connection {
    UniqueFd ours;
    UniqueFd theirs;
    UniqueFd dup;
  };

  std::unique_ptr<Poller> make_poller() {
    return std::make_unique<SortedPoller>(
        system_->make_poller(), [this](int fd) { return slot_of(fd); }, complaints_);
  }

  std::size_t slot_of(int fd) const {
    std::size_t slot = 0;
    while (slot < slot_count && connections_.at(slot).ours.get() != fd) ++slot;
    return slot;
  }

  void act(const Step& step) {
    Connection& connection = connections_.at(step.slot);
    Kernel& kernel = system_->kernel();
    switch (step.action) {
      case Action::open: open(step.slot, step.family); break;
      case Action::watch: watch(step.slot, step.interest); break;
      case Action::feed: send(connection.theirs, feed_bytes); break;
      case Action::read: answer_ = read(step.slot); break;
      case Action::fill:
        while (send(connection.ours, 4096)) {
        }
        break;
      case Action::drain:
        while (kernel.recv(connection.theirs.get(), room()).ok()) {
        }
        break;
      case Action::eof: kernel.shutdown(connection.theirs.get(), SHUT_WR); break;
      case Action::shut: kernel.shutdown(connection.ours.get(), SHUT_WR); break;
      case Action::hang_up: connection.theirs.reset(); break;
      case Action::reset:
        abort_on_close(connection.theirs);
        connection.theirs.reset();
        break;
      case Action::close: close(step.slot); break;
      case Action::replace: {
        const Interest interest = model_.watch(step.slot).wanted;
        close(step.slot);
        open(step.slot, step.family);
        watch(step.slot, interest);
        break;
      }
      case Action::dup:
        connection.dup = UniqueFd(kernel, system_->dup(connection.ours.get()));
        break;
      case Action::drop: connection.dup.reset(); break;
      case Action::poll: break;
    }
  }

  void open(std::size_t slot, Family family) {
    Kernel& kernel = system_->kernel();
    Ends ends{-1, -1};
    if (family == Family::tcp) {
      ends = system_->connect_tcp();
    } else {
      int fds[2] = {-1, -1};
      if (const int error = kernel.socketpair(AF_UNIX, SOCK_STREAM, fds); error != 0) {
        throw std::system_error(error, std::generic_category(), "socketpair");
      }
      ends = {fds[0], fds[1]};
    }
    ++incarnations_.at(slot);
    Connection& connection = connections_.at(slot);
    connection.ours = UniqueFd(kernel, ends.ours);
    connection.theirs = UniqueFd(kernel, ends.theirs);
  }

  /// While a dup lives, the connection does too, and its bytes must not be heard of any more.
  void close(std::size_t slot) {
    watch(slot, Interest::none);
    Connection& connection = connections_.at(slot);
    abort_on_close(connection.ours);  // Or TIME_WAIT would use up the ports.
    connection.ours.reset();
    if (connection.dup && connection.theirs) send(connection.theirs, feed_bytes);
    if (connection.dup) ghosts_.push_back(std::move(connection));
    connection = {};
  }

  void watch(std::size_t slot, Interest interest) {
    const int fd = connections_.at(slot).ours.get();
    const std::size_t which = incarnations_.at(slot);
    const Interest before = watched_.at(slot);
    if (!wants_read(before) && wants_read(interest)) {
      loop_.add_reader(fd, [this, slot, which] { call(slot, which, false); });
    }
    if (!wants_write(before) && wants_write(interest)) {
      loop_.add_writer(fd, [this, slot, which] { call(slot, which, true); });
    }
    if (wants_read(before) && !wants_read(interest)) loop_.remove_reader(fd);
    if (wants_write(before) && !wants_write(interest)) loop_.remove_writer(fd);
    watched_.at(slot) = interest;
  }

  /// A callback knows whose it is, and would say so after its connection has gone.
  void call(std::size_t slot, std::size_t incarnation, bool writer) {
    callbacks_.push_back(callback_name(slot, incarnation, writer));
    const Step step = model_.take_deferred(slot, writer);
    if (step.action != Action::poll) perform(step);
  }

  void poll() {
    for (std::size_t slot = 0; slot < slot_count; ++slot) {
      const int fd = connections_.at(slot).ours.get();
      if (fd >= 0) system_->settle(fd, model_.channel(slot));
    }
    model_.flush();
    callbacks_.clear();
    const std::uint64_t stale_before = loop_.stats().stale_events;
    loop_.stop();  // One pass, which does not wait.
    loop_.run_forever();
    trace_.push_back(poll_line(callbacks_, loop_.stats().stale_events - stale_before));
    for (std::string& complaint : complaints_) trace_.push_back(std::move(complaint));
    complaints_.clear();
  }

  std::string read(std::size_t slot) {
    const int fd = connections_.at(slot).ours.get();
    system_->settle(fd, model_.channel(slot));
    const IoResult result = system_->kernel().recv(fd, room());
    if (result.would_block()) return "nothing";
    if (result.error == ECONNRESET) return "ECONNRESET";
    if (!result.ok()) return "errno " + std::to_string(result.error);
    return result.value == 0 ? "the end" : std::to_string(result.value) + " bytes";
  }

  bool send(const UniqueFd& fd, std::size_t bytes) {
    const iovec buffer{bytes_.data(), bytes};
    return system_->kernel().send(fd.get(), {&buffer, 1}).ok();
  }

  std::span<const iovec> room() {
    room_ = {bytes_.data(), bytes_.size()};
    return {&room_, 1};
  }

  void abort_on_close(const UniqueFd& fd) {
    const linger value{1, 0};
    system_->kernel().setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &value, sizeof value);
  }

  std::unique_ptr<System> system_;
  std::vector<std::string> complaints_;
  std::array<Connection, slot_count> connections_;
  std::array<std::size_t, slot_count> incarnations_{};
  std::vector<Connection> ghosts_;
  LoopKernel loop_kernel_;
  weir::EventLoop loop_;
  Model model_;
  std::array<Interest, slot_count> watched_{};
  Trace trace_;
  std::vector<std::string> callbacks_;
  std::string answer_;
  std::string bytes_ = std::string(65536, 'x');
  iovec room_{};
};

}  // namespace

Trace perform(const Script& script, const BackEnd& back_end) {
  Performer performer(back_end);
  for (const Step& step : script) performer.perform(step);
  for (const Step& step : epilogue()) performer.perform(step);
  return performer.take();
}

}  // namespace equivalence
