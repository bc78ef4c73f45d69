// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/reactor/export.hpp>
#include <weir/reactor/kernel.hpp>
#include <weir/reactor/sim/call.hpp>

namespace WEIR_API weir {

namespace detail {
struct FakeSocket;
}  // namespace detail

/// An operating system in memory, for unit tests: stream sockets are byte queues, the clock moves
/// when the test says so or when everybody waits, any call can be made to fail. Nothing blocks, and
/// the same test does the same every time.
///
///     FakeKernel kernel;
///     EventLoop loop(kernel);
///     ...                                  // a server on port 8888, and then, as its client:
///     const int client = kernel.dial(8888);
///     kernel.put(client, "hello");
///     ...                                  // run the loop
///     CHECK(kernel.take(client) == "HELLO");
///
/// A test that would hang fails: waiting with nothing to wait for is EDEADLK.
///
/// Shape     Stream sockets of AF_INET, AF_INET6 and AF_UNIX. Only AF_UNIX backlogs fill up; every
///           directory is there, and a path is its text. Closing with
///           unread bytes, or with SO_LINGER at zero seconds, resets the connection, as Linux does.
///           Sending to a peer that has closed is EPIPE at once, as between AF_UNIX sockets.
/// Errors    As the real calls. What a program must never do (close twice, use a closed descriptor,
///           close one that is registered) is EBADF or done, and is noted in misuses() besides.
/// Threads   One, that of the loop; but wake() of its pollers from any thread.
/// Lifetime  Must outlive its pollers and executors.
class FakeKernel final : public Kernel {
 public:
  /// What the clock says at first.
  static constexpr TimePoint start = TimePoint(std::chrono::seconds(1000));
  static constexpr std::size_t default_capacity_bytes = 64 * 1024;

  FakeKernel();

  // --- Time ---

  /// Moves the clock; backwards too, to see who survives it.
  void advance(Duration step) { now_ += step; }

  // --- Results on demand ---

  /// The next `call` that is made returns `result` instead of doing anything; scripts queue up.
  /// close() closes all the same, as Linux does, and forgetting a descriptor cannot fail.
  ///
  /// Shape     `{.error = EMFILE}`, `{.value = 7}`. Calls that return an int return the error;
  ///           make_poller and make_executor throw it, executor_submit throws RuntimeError;
  ///           getaddrinfo returns the value (EAI_AGAIN), or EAI_SYSTEM with the error.
  /// Errors    ValueError  now, freeaddrinfo and poller_wake cannot fail. (So fail_always, clear.)
  void script(Call call, IoResult result);
  /// Every `call` fails with `error` once its scripts are used up, until clear().
  void fail_always(Call call, int error);
  /// Forgets the scripts and fail_always of `call`.
  void clear(Call call);

  using CallHook = std::function<void(Call)>;
  /// Hears of every call that can be scripted, just before it happens; may change what the test
  /// could change between two calls.
  void set_call_hook(CallHook hook) { call_hook_ = std::move(hook); }

  /// The most that one recv() or send() moves; 0 takes the limit away.
  void set_max_recv(std::size_t bytes) { max_recv_bytes_ = bytes; }
  void set_max_send(std::size_t bytes) { max_send_bytes_ = bytes; }
  /// How much `fd` can send before its peer reads; later sockets get the default.
  void set_capacity(int fd, std::size_t bytes);
  void set_default_capacity(std::size_t bytes) { capacity_bytes_ = bytes; }
  /// Descriptors at a time; one more is EMFILE. 0 takes the limit away.
  void set_max_fds(std::size_t count) { max_fds_ = count; }

  /// What connect() does: is done at once; says EINPROGRESS and is done; or says EINPROGRESS and
  /// waits for finish_connect().
  enum class Connects { at_once, in_progress, held };
  void set_connects(Connects mode) { connects_ = mode; }
  /// Ends a held connect. With 0, by looking for the listener; else with that error, in SO_ERROR.
  void finish_connect(int fd, int error = 0);

  // --- The other end ---
  // A test holds the other end of what it tests: a descriptor from dial(), accept_from() or
  // socketpair(). The calls below are never scripted, limited or counted, so that they hit nothing
  // but the mark. ValueError if `fd` is not open.

  /// A connection to whoever listens at `port` of 127.0.0.1 or ::1; -1 if nobody does.
  int dial(std::uint16_t port);
  /// A listener on 127.0.0.1 at `port`.
  int listen_on(std::uint16_t port);
  /// The next connection that waits at `listener`; -1 if none does.
  int accept_from(int listener);
  /// The same for unix sockets; -1 also if the backlog is full.
  int dial_path(std::string_view path);
  int listen_on_path(std::string_view path, int backlog = 100);
  /// Sends `bytes`, whatever the capacity. Lost if the other side is gone.
  void put(int fd, std::string_view bytes);
  /// Ends the sending side: the other side reads what is queued, then the end of the stream.
  void put_eof(int fd);
  /// Resets the connection: the other side reads what is queued, then ECONNRESET.
  void reset(int fd);
  /// Everything that has arrived.
  std::string take(int fd);
  /// True when nothing is left to take and nothing more will come.
  bool at_eof(int fd) const;

  // --- Files ---

  /// A descriptor of a regular file with these contents.
  int add_file(std::string contents);

  // --- The rest of the system ---

  /// getaddrinfo() finds `host` at these numeric addresses, in this order. "localhost" is there
  /// from the start, at 127.0.0.1; every other name is EAI_NONAME.
  void add_host(std::string host, std::vector<std::string> addresses);
  /// Puts a file there, in place of what there was: S_IFREG, S_IFDIR, or S_IFSOCK for a socket that
  /// nobody has open any more.
  void add_file(const std::string& path, mode_t mode);
  bool has_file(const std::string& path) const;
  /// Runs what signal_action() has installed; false when that is the default action.
  bool raise_signal(int signal_number);
  /// How many jobs of the executors one poller wait runs, in the order of submission. All that
  /// were queued when it began, if this is not called; with 0 they wait.
  void set_jobs_per_wait(std::size_t count) { jobs_per_wait_ = count; }
  std::size_t queued_jobs() const noexcept { return jobs_.size(); }
  using ReadyFilter = std::function<void(std::vector<Ready>&)>;
  /// Sees what a wait is about to report, by descriptor; may reorder it, drop from it, add to it.
  void set_ready_filter(ReadyFilter filter) { ready_filter_ = std::move(filter); }

  // --- What the program under test did ---

  std::vector<int> open_fds() const;
  /// In ascending order, those that a poller watches.
  std::vector<int> registered_fds() const;
  const std::vector<std::string>& misuses() const noexcept { return misuses_; }

  // --- Kernel ---

  TimePoint now() override { return now_; }
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
  class FakePoller;
  class FakeExecutor;
  using Socket = detail::FakeSocket;
  using SocketPtr = std::shared_ptr<Socket>;
  struct Script {
    std::deque<IoResult> next;
    int always = 0;
  };
  struct File {
    mode_t mode;
    std::uint64_t inode;
    TimePoint changed;
  };
  struct Job {
    const Executor* owner;
    Callback run;
  };

  Script& script_of(Call call);
  std::optional<IoResult> scripted(Call call);
  std::optional<IoResult> enter(Call call, int fd, Socket*& socket);
  void note_misuse(Call call, int fd, std::string_view what);
  Socket* find(int fd) const;
  Socket& at(int fd) const;
  SocketPtr make_socket(int family) const;
  bool full() const noexcept { return max_fds_ != 0 && sockets_.size() >= max_fds_; }
  int install(SocketPtr socket);
  int bind_to(Socket& socket, std::string address);
  int establish(const SocketPtr& client);
  int dial_address(const std::string& address);
  int listen_at(const std::string& address, int backlog);
  SocketPtr listener_at(const std::string& address, int& error) const;
  std::uint64_t free_inode() const;
  bool run_jobs();

  TimePoint now_ = start;
  std::map<int, SocketPtr> sockets_;  // The descriptor table: ordered, so that numbers are too.
  std::vector<FakePoller*> pollers_;
  std::deque<Job> jobs_;
  std::map<std::string, std::vector<std::string>> hosts_;  // Numeric addresses by name.
  std::map<std::string, File> files_;
  std::map<int, struct sigaction> signals_;
  std::array<Script, call_count> scripts_;
  std::vector<std::string> misuses_;
  ReadyFilter ready_filter_;
  CallHook call_hook_;
  std::size_t capacity_bytes_ = default_capacity_bytes;
  std::size_t max_recv_bytes_ = 0;
  std::size_t max_send_bytes_ = 0;
  std::size_t max_fds_ = 0;
  std::optional<std::size_t> jobs_per_wait_;
  Connects connects_ = Connects::at_once;
  std::uint16_t next_port_ = 49152;  // IANA's first ephemeral port.
};

}  // namespace weir
