// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <weir/reactor/export.hpp>
#include <weir/reactor/kernel.hpp>
#include <weir/reactor/sim/call.hpp>

namespace WEIR_API weir {

/// What is made of a call.
enum class FaultKind : std::uint8_t {
  error,        // It fails with errno `value`, and does nothing; but close() closes all the same.
  done_yet,     // It is done, and says errno `value` all the same: connect().
  one_byte,     // It moves one byte at most: recv(), send(), sendfile(), pread().
  half,         // Half of what there is room for at most.
  end,          // It moves nothing and says 0: the end of the stream, or of the file.
  resolver,     // getaddrinfo() says EAI_… `value`.
  no_answer,    // getaddrinfo() succeeds with an empty list.
  slow,         // getaddrinfo() takes 30 s.
  pending,      // SO_ERROR is `value`.
  no_address,   // accept() does not say whose connection it is.
  no_thread,    // An executor takes no job.
  interrupted,  // A wait ends at once, and reports nothing.
  withheld,     // A wait reports nothing: what there is comes with the next one.
  reversed,     // It reports what there is the other way round.
  spurious,     // It reports something that is not ready.
  twice,        // It reports something twice.
  stale,        // It reports something as of a registration that is gone.
  hang_up,      // It reports everything that is watched, for all that it is watched for.
  late,         // The clock is an hour ahead.
  early,        // The clock is a second behind.
  frozen,       // The clock stands still for 1000 looks.
};

/// Which calls a fault is for, among those of one name.
enum class FaultWhere : std::uint8_t {
  everywhere,
  internet,    // connect() to an address
  local,       // connect() to a path
  so_error,    // getsockopt(SO_ERROR)
  other,       // getsockopt() and setsockopt() of any other option
  reuse_port,  // setsockopt(SO_REUSEPORT)
};

struct Fault {
  static constexpr std::uint64_t always = 0;

  Call call = Call::now;
  FaultKind kind = FaultKind::error;
  int value = 0;
  std::uint64_t number = 1;  // It strikes the call that comes as the `number`th of its name,
  std::uint64_t times = 1;   // and those after it: so many in all.
  FaultWhere where = FaultWhere::everywhere;
};

/// Makes calls to another kernel, its pollers and its executors fail, fall short, or come at an
/// unwelcome time: one fault, at a place that the test names. known_faults.hpp has those that real
/// systems are known for; `./dev faults` tries each of them at each call.
///
///     FaultKernel kernel(machine);
///     kernel.plan({.call = Call::recv, .value = ECONNRESET, .number = 3});
///     EventLoop loop(kernel);
///
/// Shape     Calls are counted from the beginning. A fault that does not fit the call that it was
///           planned for (where; a wait that has nothing to report twice) does not strike.
///           Forgetting a descriptor, freeaddrinfo() and wake() cannot fail.
///           An error that strikes again and again takes 10 ms each time: who tries again comes to
///           its deadline.
/// Threads   As the kernel that it wraps; plan() while nothing else is called.
/// Lifetime  The wrapped kernel must outlive it, and it its pollers and executors.
class FaultKernel final : public Kernel {
 public:
  explicit FaultKernel(Kernel& inner) : inner_(inner) {}

  /// In place of the one that was planned before.
  void plan(const Fault& fault) { fault_ = fault; }

  /// How often `call` was made.
  std::uint64_t count(Call call) const noexcept {
    return counts_[static_cast<std::size_t>(call)].load();
  }
  /// How often the fault has struck.
  std::uint64_t struck() const noexcept { return struck_.load(); }

  TimePoint now() override;
  IoResult socket(int family, int type, int protocol) override;
  int socketpair(int family, int type, int (&fds)[2]) override;
  int bind(int fd, const sockaddr* address, std::uint32_t length) override;
  int listen(int fd, int backlog) override;
  IoResult accept(int fd, sockaddr* address, std::uint32_t* length) override;
  int connect(int fd, const sockaddr* address, std::uint32_t length) override;
  IoResult recv(int fd, std::span<const iovec> buffers) override;
  IoResult send(int fd, std::span<const iovec> buffers) override;
  IoResult sendfile(int socket, int file, std::int64_t offset, std::size_t bytes) override;
  IoResult pread(int file, std::span<char> room, std::int64_t offset) override;
  int shutdown(int fd, int how) override;
  int close(int fd) override;
  int set_nonblocking(int fd) override;
  int getsockopt(int fd, int level, int option, void* value, std::uint32_t* length) override;
  int setsockopt(int fd, int level, int option, const void* value, std::uint32_t length) override;
  int getsockname(int fd, sockaddr* address, std::uint32_t* length) override;
  int getpeername(int fd, sockaddr* address, std::uint32_t* length) override;
  int stat(const char* path, struct ::stat* status) override;
  int unlink(const char* path) override;
  int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** result,
                  int* system_error) override;
  void freeaddrinfo(addrinfo* list) override;
  int signal_action(int signal_number, const struct sigaction* action,
                    struct sigaction* old) override;
  std::unique_ptr<Poller> make_poller() override;
  std::unique_ptr<Executor> make_executor(std::size_t max_threads) override;

 private:
  class FaultPoller;
  class FaultExecutor;
  using Counter = std::atomic<std::uint64_t>;

  const Fault* due(Call call, FaultWhere where = FaultWhere::everywhere);
  void strike(const Fault& fault) noexcept;
  int error_of(Call call, FaultWhere where = FaultWhere::everywhere);
  std::optional<IoResult> moved(Call call, std::size_t& bytes);

  Kernel& inner_;
  std::optional<Fault> fault_;
  std::array<Counter, call_count> counts_{};
  Counter struck_ = 0;
  std::atomic<Duration::rep> ahead_ = 0;   // Of the inner clock: what faults have taken.
  std::atomic<Duration::rep> frozen_ = 0;  // What a frozen clock says.
};

}  // namespace weir
