// SPDX-License-Identifier: MIT
#include <weir/reactor/sim/sim_poller.hpp>

#include <algorithm>
#include <cerrno>

#include <weir/reactor/error.hpp>
#include <weir/reactor/sim/sim_socket.hpp>

namespace weir {
namespace {

constexpr Duration longest_oversleep = std::chrono::seconds(1);
constexpr Duration longest_jump = std::chrono::hours(1);
constexpr Duration longest_resolve = std::chrono::minutes(1);
constexpr Duration held_back_for = std::chrono::microseconds(10);
constexpr std::size_t history_length = 10;
constexpr int most_unanswered = 3;

}  // namespace

SimKernel::SimPoller::SimPoller(SimKernel& kernel) : kernel_(kernel), network_(*kernel.network_) {
  kernel_.pollers_.push_back(this);
}

SimKernel::SimPoller::~SimPoller() { std::erase(kernel_.pollers_, this); }

int SimKernel::SimPoller::set(int fd, std::uint32_t generation, Interest interest) {
  if (interest == Interest::none) {
    watched_.erase(fd);
    return kernel_.said(Call::poller_set, fd, 0);
  }
  if (kernel_.enter(Call::poller_set, fd) == nullptr)
    return kernel_.said(Call::poller_set, fd, EBADF);
  note_generation(fd, generation);
  const auto [at, added] = watched_.try_emplace(fd);
  if (added) at->second.registration = ++registrations_;
  at->second.generation = generation;
  at->second.interest = interest;
  at->second.unanswered = 0;
  return kernel_.said(Call::poller_set, fd, 0);
}

void SimKernel::SimPoller::closed(int fd) {
  watched_.erase(fd);
  if (const auto last = last_.find(fd); last != last_.end()) last->second.closed = true;
}

/// Numbers are used again, and events of the last owner may still come: without a generation of its
/// own, the next one would take them for its own.
void SimKernel::SimPoller::note_generation(int fd, std::uint32_t generation) {
  const auto last = last_.find(fd);
  if (last != last_.end() && last->second.closed && last->second.generation == generation)
    kernel_.note_misuse("poller_set", fd, "is watched as of its last owner's generation");
  last_[fd] = {generation, false};
}

void SimKernel::SimPoller::touched(int fd) {
  const auto found = watched_.find(fd);
  if (found != watched_.end()) found->second.unanswered = 0;
}

int SimKernel::SimPoller::wait(std::optional<Duration> timeout, std::vector<Ready>& ready) {
  if (network_.trace.events() > kernel_.max_events_) return ELOOP;
  network_.pass_time();
  if (network_.strikes(SimFault::interrupted)) {
    network_.trace.call(network_.now, Call::poller_wait, -1, 0, EINTR);
    return 0;
  }
  const std::optional<TimePoint> deadline = deadline_of(timeout);
  for (;;) {
    network_.run_due();
    const bool woken = woken_.exchange(false, std::memory_order_acquire);
    std::vector<Ready> found = ready_now();
    const bool any = !found.empty();
    disturb(found);
    if (!found.empty() || woken) {
      report(found, ready);
      break;
    }
    if (any) {  // All of it is held back: time must pass, or the program would spin.
      network_.advance_to(network_.now + held_back_for);
      break;
    }
    const std::optional<TimePoint> next = network_.next_event();
    if (!next && !deadline) return EDEADLK;
    if (deadline && (!next || *deadline <= *next)) {
      network_.advance_to(*deadline);
      break;
    }
    network_.advance_to(*next);
  }
  network_.trace.call(network_.now, Call::poller_wait, -1, static_cast<std::int64_t>(ready.size()),
                      0);
  oversleep();
  return 0;
}

std::optional<TimePoint> SimKernel::SimPoller::deadline_of(std::optional<Duration> timeout) {
  if (!timeout) return std::nullopt;
  Duration delay = std::clamp(*timeout, Duration::zero(), detail::max_wait);
  if (delay > Duration::zero() && network_.strikes(SimFault::late_wake))
    delay += network_.random.up_to(longest_oversleep);
  return detail::deadline_after(network_.now, delay);
}

void SimKernel::SimPoller::oversleep() {
  if (!network_.strikes(SimFault::clock_jump)) return;
  network_.advance_to(network_.now + network_.random.up_to(longest_jump));
}

std::vector<Ready> SimKernel::SimPoller::ready_now() const {
  std::vector<Ready> found;
  for (const auto& [fd, watch] : watched_) {
    const bool readable = wants_read(watch.interest) && kernel_.readable(fd);
    const bool writable = wants_write(watch.interest) && kernel_.writable(fd);
    if (readable || writable) found.push_back({fd, watch.generation, readable, writable});
  }
  return found;
}

// ---- What a kernel may do

void SimKernel::SimPoller::disturb(std::vector<Ready>& found) {
  hold_back(found);
  if (network_.strikes(SimFault::spurious)) add_spurious(found);
  if (network_.strikes(SimFault::replay)) add_replay(found);
  if (found.size() > 1 && network_.strikes(SimFault::reorder)) {
    for (std::size_t i = found.size() - 1; i > 0; --i)
      std::swap(found[i], found[network_.random.between(0, i)]);
  }
  if (found.size() > 1 && network_.strikes(SimFault::small_batch))
    found.resize(network_.random.between(1, found.size() - 1));
}

void SimKernel::SimPoller::hold_back(std::vector<Ready>& found) {
  std::vector<Ready> left;
  for (Ready event : found) {
    if (network_.strikes(SimFault::held_back)) {
      // Perhaps one half of it only.
      const bool keeps_read = network_.random.below(4) == 0;
      if (!event.readable || !event.writable) continue;
      (keeps_read ? event.writable : event.readable) = false;
    }
    left.push_back(event);
  }
  found = std::move(left);
}

/// A pending connect() is never reported before it is decided, and nothing is reported twice.
bool SimKernel::SimPoller::reportable(int fd, const std::vector<Ready>& found) const {
  const SocketPtr socket = kernel_.find(fd);
  if (socket != nullptr && socket->state == Socket::State::connecting) return false;
  return std::none_of(found.begin(), found.end(), [fd](const Ready& its) { return its.fd == fd; });
}

void SimKernel::SimPoller::add_spurious(std::vector<Ready>& found) {
  if (watched_.empty()) return;
  auto at = watched_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(network_.random.between(0, watched_.size() - 1)));
  if (!reportable(at->first, found)) return;
  const Interest interest = at->second.interest;
  found.push_back({at->first, at->second.generation, wants_read(interest), wants_write(interest)});
}

/// What was of an earlier owner of the number is stale, whatever the number stands for now; its
/// generation tells.
void SimKernel::SimPoller::add_replay(std::vector<Ready>& found) {
  if (history_.empty()) return;
  const Told told = history_[network_.random.between(0, history_.size() - 1)];
  const auto watch = watched_.find(told.event.fd);
  const bool stale = watch != watched_.end() && watch->second.registration != told.registration;
  const bool there = std::any_of(found.begin(), found.end(),
                                 [&](const Ready& its) { return its.fd == told.event.fd; });
  if (stale ? !there : reportable(told.event.fd, found)) found.push_back(told.event);
}

/// What is true, and told again and again, is something that the program does not want to know.
void SimKernel::SimPoller::count(const Ready& event) {
  const auto found = watched_.find(event.fd);
  if (found == watched_.end() || found->second.generation != event.generation) return;
  const Interest interest = found->second.interest;
  const bool readable = event.readable && wants_read(interest) && kernel_.readable(event.fd);
  const bool writable = event.writable && wants_write(interest) && kernel_.writable(event.fd);
  if ((readable || writable) && ++found->second.unanswered == most_unanswered + 1)
    kernel_.note_misuse("poller_wait", event.fd, "is reported again and again, and not asked");
}

void SimKernel::SimPoller::report(std::vector<Ready>& found, std::vector<Ready>& ready) {
  for (const Ready& event : found) {
    network_.trace.event(network_.now, SimTrace::Event::ready,
                         static_cast<std::uint64_t>(event.fd) << 32U | event.generation,
                         (event.readable ? 1 : 0) + (event.writable ? 2 : 0));
    count(event);
    const auto watch = watched_.find(event.fd);
    history_.push_back({event, watch != watched_.end() ? watch->second.registration : 0});
    if (history_.size() > history_length) history_.pop_front();
    ready.push_back(event);
  }
}

// ---- The executor

class SimKernel::SimExecutor final : public Executor {
 public:
  explicit SimExecutor(SimKernel& kernel) : kernel_(kernel) {}
  ~SimExecutor() override { shutdown(true); }

  void submit(Callback job) override {
    if (ended_) throw RuntimeError("cannot schedule new futures after shutdown");
    detail::SimNetwork& network = *kernel_.network_;
    Duration delay{};
    if (network.strikes(SimFault::slow_resolve)) delay = network.random.up_to(longest_resolve);
    const std::uint64_t number = kernel_.next_job_++;
    kernel_.jobs_.emplace(number, Job{this, std::move(job)});
    network.run_after(number, delay);
  }

  void shutdown(bool) override {
    ended_ = true;
    std::vector<Job> dropped;  // Destroyed last: what a job captured may submit another one.
    for (auto at = kernel_.jobs_.begin(); at != kernel_.jobs_.end();) {
      if (at->second.owner == this) {
        dropped.push_back(std::move(at->second));
        at = kernel_.jobs_.erase(at);
      } else {
        ++at;
      }
    }
  }

 private:
  SimKernel& kernel_;
  bool ended_ = false;
};

void SimKernel::run_job(std::uint64_t number) {
  const auto found = jobs_.find(number);
  if (found == jobs_.end()) return;
  Job job = std::move(found->second);
  jobs_.erase(found);
  job.run();
}

std::unique_ptr<Poller> SimKernel::make_poller() { return std::make_unique<SimPoller>(*this); }

std::unique_ptr<Executor> SimKernel::make_executor(std::size_t) {
  return std::make_unique<SimExecutor>(*this);
}

}  // namespace weir
