// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/reactor/export.hpp>
#include <weir/reactor/kernel.hpp>
#include <weir/reactor/sim/call.hpp>
#include <weir/reactor/sim/sim_options.hpp>
#include <weir/reactor/sim/sim_stream.hpp>
#include <weir/reactor/sim/sim_trace.hpp>

namespace WEIR_API weir {

namespace detail {
struct SimSocket;
class SimNetwork;
}  // namespace detail

/// A simulated machine: its clock, its descriptors, and a network in which things go wrong, as they
/// do at three in the morning. Servers and clients run on it, in one loop, without knowing.
///
///     SimRandom random(seed);
///     SimKernel kernel(seed, SimOptions::swarm(random));
///     EventLoop loop(kernel);
///     ...                       // start servers and clients; run the loop
///     kernel.heal();            // from here on all goes well: whoever waits now must be served
///     ...                       // run the loop, and compare with what should have happened
///
/// One seed is one run: the same calls get the same answers, in every build and on every machine,
/// as long as the program does the same (it does not, if it asks the real clock, starts threads, or
/// goes by the order of pointers or hashes). docs/simulation.md shows the way with a server.
///
/// A program that would wait for ever fails: waiting with nothing to wait for is EDEADLK.
///
/// Shape     Stream sockets of AF_INET, AF_INET6 and AF_UNIX. Unix sockets deliver at once; the
///           others through a network. Closing with unread bytes, or with SO_LINGER at zero
///           seconds, resets the connection, and so does sending to somebody who has closed.
///           Backlogs fill up: TCP clients try again after a second, unix ones are told EAGAIN.
///           The jobs of executors run while the loop waits, in any order.
/// Errors    As the real calls. What a program must never do (close twice, use a closed descriptor,
///           close one that is registered, send after shutdown(), be told of one four times without
///           asking it, watch one as of the generation that the last owner of its number had) is
///           noted in misuses().
/// Threads   One, that of the loop; but wake() of its pollers from any thread.
/// Lifetime  Must outlive its pollers and executors.
class SimKernel final : public Kernel {
 public:
  /// What the clock says at first.
  static constexpr TimePoint start = TimePoint(std::chrono::seconds(1000));
  static constexpr std::size_t default_capacity_bytes = 64 * 1024;

  explicit SimKernel(std::uint64_t seed, const SimOptions& options = {});
  ~SimKernel() override;

  /// From now on nothing goes wrong, and what is on its way arrives.
  void heal();
  /// After so many events a wait is ELOOP: the program spins.
  void set_max_events(std::uint64_t count) noexcept { max_events_ = count; }
  /// How often it did this to the program.
  std::uint64_t injected(SimFault fault) const noexcept;
  SimTrace& trace() noexcept;
  const SimTrace& trace() const noexcept;

  // ---- The machine

  /// getaddrinfo() finds `host` at these numeric addresses. "localhost" is there from the start.
  void add_host(std::string host, std::vector<std::string> addresses);
  /// A descriptor of a regular file with these contents.
  int add_file(std::string contents);

  // ---- The truth

  /// The number of the end of a connection that `fd` leads to, or nothing.
  std::optional<std::uint64_t> stream_of(int fd) const;
  /// By number, of this end or the other one; kept for ever. ValueError if there is none.
  const SimStream& stream(std::uint64_t number) const;
  std::uint64_t stream_count() const noexcept;
  /// Whether recv() and send() would have something to say.
  bool readable(int fd) const;
  bool writable(int fd) const;

  std::vector<int> open_fds() const;
  /// In ascending order, those that a poller watches.
  std::vector<int> registered_fds() const;
  const std::vector<std::string>& misuses() const noexcept { return misuses_; }

  // ---- Kernel

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
  class SimPoller;
  class SimExecutor;
  using Socket = detail::SimSocket;
  using SocketPtr = std::shared_ptr<Socket>;
  struct File {
    std::uint64_t inode;
    TimePoint changed;
  };
  struct Job {
    const Executor* owner;
    Callback run;
  };

  SocketPtr find(int fd) const;
  SocketPtr enter(Call call, int fd);
  void note_misuse(std::string_view call, int fd, std::string_view what);
  void touched(int fd);
  int said(Call call, int fd, int error);
  IoResult said(Call call, int fd, IoResult result);
  int disturbed(Socket& socket);
  SocketPtr make_socket(int family) const;
  bool no_fds();
  int install(SocketPtr socket);
  int bind_to(Socket& socket, std::string address);
  SocketPtr listener_at(const std::string& address, int& error) const;
  void establish(const SocketPtr& client, const SocketPtr& listener);
  int connect_path(const SocketPtr& client);
  int start_connect(const SocketPtr& client);
  void answer_connect(const SocketPtr& client);
  void take_note(Socket& socket, bool sending, const IoResult& result);
  IoResult receive(const SocketPtr& socket, std::span<const iovec> buffers);
  IoResult transmit(const SocketPtr& socket, std::span<const iovec> buffers);
  void run_job(std::uint64_t number);

  std::unique_ptr<detail::SimNetwork> network_;
  std::vector<SocketPtr> sockets_;  // By descriptor.
  std::vector<SimPoller*> pollers_;
  std::map<std::uint64_t, Job> jobs_;
  std::map<std::string, std::vector<std::string>> hosts_;  // Numeric addresses by name.
  std::map<std::string, File> files_;                      // What unix sockets have left.
  std::map<int, struct sigaction> signals_;
  std::vector<std::string> misuses_;
  std::uint64_t max_events_ = 1'000'000'000;
  std::uint64_t next_job_ = 0;
  std::uint64_t next_inode_ = 1;
  std::uint16_t next_port_ = 49152;  // IANA's first ephemeral port.
};

}  // namespace weir
