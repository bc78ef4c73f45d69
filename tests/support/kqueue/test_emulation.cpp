// SPDX-License-Identifier: MIT
//
// The emulation of kqueue(2), rule by rule. Each case quotes or names the place of the manual page
// (FreeBSD 14) that it holds the emulation to.
#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using Event = struct kevent;
using Flags = decltype(Event::flags);

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) { REQUIRE(fd >= 0); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&&) = delete;
  ~Fd() { close(); }
  operator int() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

struct Pair {
  Fd ours;
  Fd theirs;
};

Pair unix_pair() {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

Pair pipe_pair() {  // Ours reads.
  int fds[2];
  REQUIRE(::pipe2(fds, O_NONBLOCK) == 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

Fd tcp_listener(sockaddr_in& address) {
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  REQUIRE(::bind(listener, generic, length) == 0);
  REQUIRE(::listen(listener, 8) == 0);
  REQUIRE(::getsockname(listener, generic, &length) == 0);
  return listener;
}

Fd tcp_client(const sockaddr_in& address) {
  Fd client(::socket(AF_INET, SOCK_STREAM, 0));
  REQUIRE(::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return client;
}

Pair tcp_pair() {
  sockaddr_in address{};
  const Fd listener = tcp_listener(address);
  Fd client = tcp_client(address);
  return {Fd(::accept(listener, nullptr, nullptr)), std::move(client)};
}

void reset(Fd& fd) {
  const linger abort{1, 0};
  REQUIRE(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort) == 0);
  fd.close();
}

void send(int fd, const std::string& bytes) {
  REQUIRE(::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
}

std::string receive(int fd) {
  char bytes[64];
  const ssize_t count = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  return {bytes, static_cast<std::size_t>(count < 0 ? 0 : count)};
}

Event make(int fd, int filter, int flags, std::uintptr_t udata = 0) {
  Event event{};
  event.ident = static_cast<std::uintptr_t>(fd);
  event.filter = static_cast<decltype(Event::filter)>(filter);
  event.flags = static_cast<Flags>(flags);
  event.udata = reinterpret_cast<void*>(udata);
  return event;
}

Event user(int flags, unsigned fflags = 0) {
  Event event = make(7, EVFILT_USER, flags);
  event.fflags = fflags;
  return event;
}

struct Queue {
  Fd fd{::kqueue()};

  /// One change without a receipt: 0, or errno.
  int change(const Event& event) {
    return ::kevent(fd, &event, 1, nullptr, 0, nullptr) < 0 ? errno : 0;
  }
  void add(int descriptor, int filter, std::uintptr_t udata = 0) {
    REQUIRE(change(make(descriptor, filter, EV_ADD, udata)) == 0);
  }
  /// Several, each with a receipt: what the receipts say.
  std::vector<int> receipts(std::vector<Event> events) {
    for (Event& event : events) event.flags = static_cast<Flags>(event.flags | EV_RECEIPT);
    const int count = static_cast<int>(events.size());
    std::vector<Event> answers(events.size());
    REQUIRE(::kevent(fd, events.data(), count, answers.data(), count, nullptr) == count);
    std::vector<int> errors;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      CHECK(answers[i].flags == EV_ERROR);
      CHECK(answers[i].ident == events[i].ident);
      CHECK(answers[i].filter == events[i].filter);
      errors.push_back(static_cast<int>(answers[i].data));
    }
    return errors;
  }
  std::vector<Event> look(std::size_t room = 16, timespec timeout = {}) {
    std::vector<Event> events(room);
    const int count =
        ::kevent(fd, nullptr, 0, events.data(), static_cast<int>(events.size()), &timeout);
    REQUIRE(count >= 0);
    events.resize(static_cast<std::size_t>(count));
    return events;
  }
  Event only() {
    const std::vector<Event> events = look();
    REQUIRE(events.size() == 1);
    return events[0];
  }
};

bool has(const Event& event, int flag) { return (event.flags & flag) != 0; }

extern "C" void ignore(int) {}

}  // namespace

TEST_SUITE_BEGIN("support/kqueue");

// DESCRIPTION: "A kevent is identified by the (ident, filter) pair"
TEST_CASE("kqueue emulation: reading and writing are two events") {
  Queue queue;
  const Pair pair = unix_pair();
  send(pair.theirs, "x");
  queue.add(pair.ours, EVFILT_READ, 1);
  queue.add(pair.ours, EVFILT_WRITE, 2);
  const std::vector<Event> events = queue.look();
  REQUIRE(events.size() == 2);
  CHECK(events[0].filter != events[1].filter);
  CHECK(events[0].udata != events[1].udata);
}

// DESCRIPTION: "The filter is executed upon the initial registration"
TEST_CASE("kqueue emulation: what was there before the registration is reported") {
  Queue queue;
  const Pair pair = unix_pair();
  send(pair.theirs, "abc");
  queue.add(pair.ours, EVFILT_READ);
  CHECK(queue.only().data == 3);
}

// DESCRIPTION: "The filter is also run when the user attempts to retrieve the kevent"
TEST_CASE("kqueue emulation: what no longer holds is not returned") {
  Queue queue;
  const Pair pair = unix_pair();
  queue.add(pair.ours, EVFILT_READ);
  send(pair.theirs, "x");
  CHECK(queue.look().size() == 1);
  CHECK(receive(pair.ours) == "x");
  CHECK(queue.look().empty());
}

// EV_CLEAR is what makes it otherwise.
TEST_CASE("kqueue emulation: what holds is returned again") {
  Queue queue;
  const Pair pair = unix_pair();
  send(pair.theirs, "x");
  queue.add(pair.ours, EVFILT_READ);
  CHECK(queue.look().size() == 1);
  CHECK(queue.look().size() == 1);
}

// Source: kqueue_scan() puts what it reports at the end.
TEST_CASE("kqueue emulation: what did not fit comes before what was reported") {
  Queue queue;
  std::vector<Pair> pairs;
  for (std::uintptr_t i = 0; i < 3; ++i) {
    pairs.push_back(unix_pair());
    queue.add(pairs.back().ours, EVFILT_WRITE, i);
  }
  std::array<int, 3> times{};
  for (int looks = 0; looks < 6; ++looks) {
    for (const Event& event : queue.look(1))
      ++times.at(reinterpret_cast<std::uintptr_t>(event.udata));
  }
  CHECK(times == std::array<int, 3>{2, 2, 2});
}

// EV_ADD: "Re-adding an existing event will modify the parameters of the original event"
TEST_CASE("kqueue emulation: adding again replaces udata and makes no second event") {
  Queue queue;
  const Pair pair = unix_pair();
  queue.add(pair.ours, EVFILT_WRITE, 1);
  queue.add(pair.ours, EVFILT_WRITE, 2);
  CHECK(queue.only().udata == reinterpret_cast<void*>(2));
}

// EV_DELETE
TEST_CASE("kqueue emulation: what was deleted is not returned, and the other filter is") {
  Queue queue;
  const Pair pair = unix_pair();
  send(pair.theirs, "x");
  queue.add(pair.ours, EVFILT_READ);
  queue.add(pair.ours, EVFILT_WRITE);
  CHECK(queue.change(make(pair.ours, EVFILT_WRITE, EV_DELETE)) == 0);
  CHECK(queue.only().filter == EVFILT_READ);
}

// ERRORS, ENOENT: "The event could not be found to be modified or deleted."
TEST_CASE("kqueue emulation: deleting or changing what was never added is ENOENT") {
  Queue queue;
  const Pair pair = unix_pair();
  CHECK(queue.change(make(pair.ours, EVFILT_READ, EV_DELETE)) == ENOENT);
  queue.add(pair.ours, EVFILT_READ);
  CHECK(queue.change(make(pair.ours, EVFILT_WRITE, EV_DELETE)) == ENOENT);
  CHECK(queue.change(make(pair.ours, EVFILT_WRITE, 0)) == ENOENT);
  CHECK(queue.change(user(0, NOTE_TRIGGER)) == ENOENT);
}

// ERRORS, EBADF
TEST_CASE("kqueue emulation: any change of a closed descriptor is EBADF") {
  Queue queue;
  Pair pair = unix_pair();
  const int number = pair.ours;
  queue.add(number, EVFILT_READ);
  pair.ours.close();
  CHECK(queue.change(make(number, EVFILT_READ, EV_DELETE)) == EBADF);
  CHECK(queue.change(make(number, EVFILT_READ, EV_ADD)) == EBADF);
  CHECK(queue.change(make(-1, EVFILT_READ, EV_ADD)) == EBADF);
}

// DESCRIPTION: "Calling close on a file descriptor will remove any kevents that reference the
// descriptor."
TEST_CASE("kqueue emulation: close ends the events of the number, though a dup of it lives on") {
  Queue queue;
  Pair pair = unix_pair();
  const int number = pair.ours;
  send(pair.theirs, "x");
  queue.add(number, EVFILT_READ);
  queue.add(number, EVFILT_WRITE);
  const Fd dup(::dup(number));
  pair.ours.close();
  CHECK(queue.look().empty());
  REQUIRE(::dup2(dup, number) == number);
  const Fd again(number);
  CHECK(queue.look().empty());
  CHECK(queue.change(make(number, EVFILT_READ, EV_DELETE)) == ENOENT);
}

TEST_CASE("kqueue emulation: close leaves the events of a dup alone") {
  Queue queue;
  Pair pair = unix_pair();
  const Fd dup(::dup(pair.ours));
  queue.add(pair.ours, EVFILT_WRITE, 1);
  queue.add(dup, EVFILT_WRITE, 2);
  CHECK(queue.look().size() == 2);
  pair.ours.close();
  CHECK(queue.only().udata == reinterpret_cast<void*>(2));
}

TEST_CASE("kqueue emulation: a number that dup2 or dup3 replaces has lost its events") {
  Queue queue;
  const Pair pair = unix_pair();
  const Pair other = unix_pair();
  queue.add(pair.ours, EVFILT_WRITE);
  queue.add(pair.theirs, EVFILT_WRITE);
  REQUIRE(::dup2(other.ours, pair.ours) == pair.ours);
  REQUIRE(::dup3(other.ours, pair.theirs, O_CLOEXEC) == pair.theirs);
  CHECK(queue.look().empty());
  queue.add(other.ours, EVFILT_WRITE);
  CHECK(::dup2(other.ours, other.ours) == other.ours);
  CHECK(::dup2(-1, other.ours) == -1);
  CHECK(queue.look().size() == 1);
}

// EV_RECEIPT: "it forces EV_ERROR to always be returned. When a filter is successfully added the
// data field will be zero"
TEST_CASE("kqueue emulation: each change with EV_RECEIPT has its answer, in order") {
  Queue queue;
  const Pair pair = unix_pair();
  const Event wrong = make(pair.ours, EVFILT_READ, EV_DELETE);
  const Event right = make(pair.ours, EVFILT_WRITE, EV_ADD);
  CHECK(queue.receipts({wrong, right}) == std::vector<int>{ENOENT, 0});
  CHECK(queue.look().size() == 1);
}

// EV_RECEIPT: "bulk changes to a kqueue without draining any pending events"
TEST_CASE("kqueue emulation: receipts come alone, without events and without a wait") {
  Queue queue;
  const Pair pair = unix_pair();
  queue.add(pair.ours, EVFILT_WRITE);
  const Event change = make(pair.ours, EVFILT_READ, EV_ADD | EV_RECEIPT);
  Event room[4];
  REQUIRE(::kevent(queue.fd, &change, 1, room, 4, nullptr) == 1);
  CHECK(room[0].flags == EV_ERROR);
}

// RETURN VALUES: "If an error occurs while processing an element of the changelist and there is
// enough room in the eventlist, then the event will be placed in the eventlist"
TEST_CASE("kqueue emulation: an error without a receipt takes the room there is, or is errno") {
  Queue queue;
  const Pair pair = unix_pair();
  const Event changes[] = {make(pair.ours, EVFILT_READ, EV_DELETE),
                           make(pair.ours, EVFILT_WRITE, EV_ADD)};
  Event room[1];
  REQUIRE(::kevent(queue.fd, changes, 2, room, 1, nullptr) == 1);
  CHECK(room[0].flags == EV_ERROR);
  CHECK(room[0].data == ENOENT);
  CHECK(queue.look().size() == 1);
  CHECK(::kevent(queue.fd, changes, 2, nullptr, 0, nullptr) == -1);
  CHECK(errno == ENOENT);
}

// DESCRIPTION: "When nevents is zero, kevent will return immediately"
TEST_CASE("kqueue emulation: without room it returns at once, whatever the timeout") {
  Queue queue;
  CHECK(::kevent(queue.fd, nullptr, 0, nullptr, 0, nullptr) == 0);
}

// RETURN VALUES: "If the time limit expires, then kevent returns 0"
TEST_CASE("kqueue emulation: a wait ends after its time and not before") {
  Queue queue;
  timespec before{};
  timespec after{};
  ::clock_gettime(CLOCK_MONOTONIC, &before);
  CHECK(queue.look(4, {0, 1'500'000}).empty());
  ::clock_gettime(CLOCK_MONOTONIC, &after);
  const auto took =
      (after.tv_sec - before.tv_sec) * 1'000'000'000L + after.tv_nsec - before.tv_nsec;
  CHECK(took >= 1'500'000);
}

// Sockets: "data contains the number of bytes of protocol data available to read"
TEST_CASE("kqueue emulation: reading says how many bytes there are") {
  for (const auto make_pair : {unix_pair, tcp_pair, pipe_pair}) {
    Queue queue;
    const Pair pair = make_pair();
    queue.add(pair.ours, EVFILT_READ);
    send(pair.theirs, "12345");
    const Event event = queue.only();
    CHECK(event.data == 5);
    CHECK_FALSE(has(event, EV_EOF));
  }
}

// Sockets: "Sockets which have previously been passed to listen return when there is an incoming
// connection pending. data contains the size of the listen backlog."
TEST_CASE("kqueue emulation: a listener says how many connections wait") {
  Queue queue;
  sockaddr_in address{};
  const Fd listener = tcp_listener(address);
  queue.add(listener, EVFILT_READ);
  CHECK(queue.look().empty());
  const Fd one = tcp_client(address);
  const Fd two = tcp_client(address);
  CHECK(queue.only().data == 2);
}

// Sockets: "If the read direction of the socket has shutdown, then the filter also sets EV_EOF".
// "It is possible for EOF to be returned while there is still data pending in the socket buffer."
TEST_CASE("kqueue emulation: EV_EOF is set while bytes are still to be read") {
  for (const auto make_pair : {unix_pair, tcp_pair}) {
    Queue queue;
    const Pair pair = make_pair();
    queue.add(pair.ours, EVFILT_READ);
    send(pair.theirs, "rest");
    REQUIRE(::shutdown(pair.theirs, SHUT_WR) == 0);
    const Event event = queue.only();
    CHECK(has(event, EV_EOF));
    CHECK(event.data == 4);
    CHECK(event.fflags == 0);
    CHECK(receive(pair.ours) == "rest");
    CHECK(queue.only().data == 0);
  }
}

TEST_CASE("kqueue emulation: half a close of the peer is nothing to the write filter") {
  for (const auto make_pair : {unix_pair, tcp_pair}) {
    Queue queue;
    const Pair pair = make_pair();
    queue.add(pair.ours, EVFILT_WRITE);
    REQUIRE(::shutdown(pair.theirs, SHUT_WR) == 0);
    CHECK_FALSE(has(queue.only(), EV_EOF));
  }
}

// Sockets: "returns the socket error (if any) in fflags"
TEST_CASE("kqueue emulation: a reset is EV_EOF on both filters, with an error, which stays") {
  Queue queue;
  Pair pair = tcp_pair();
  queue.add(pair.ours, EVFILT_READ);
  queue.add(pair.ours, EVFILT_WRITE);
  reset(pair.theirs);
  const std::vector<Event> events = queue.look();
  REQUIRE(events.size() == 2);
  for (const Event& event : events) {
    CHECK(has(event, EV_EOF));
    CHECK(event.fflags != 0);
  }
  char byte = 0;
  CHECK(::recv(pair.ours, &byte, 1, 0) == -1);
  CHECK(errno == ECONNRESET);
}

// EVFILT_WRITE: "data will contain the amount of space remaining in the write buffer"
TEST_CASE("kqueue emulation: writing is silent when there is no room, and says how much there is") {
  for (const auto make_pair : {unix_pair, tcp_pair}) {
    Queue queue;
    const Pair pair = make_pair();
    queue.add(pair.ours, EVFILT_WRITE);
    const auto room = queue.only().data;
    CHECK(room > 0);
    const std::string block(4096, 'x');
    while (::send(pair.ours, block.data(), block.size(), MSG_DONTWAIT) > 0) {
    }
    std::vector<Event> events = queue.look();
    // TCP may have moved some of it on to the peer meanwhile.
    while (!events.empty() && ::send(pair.ours, block.data(), block.size(), MSG_DONTWAIT) > 0) {
      events = queue.look();
    }
    CHECK(events.empty());
  }
}

// EVFILT_WRITE: "The filter will set EV_EOF when the reader disconnects"
TEST_CASE("kqueue emulation: a peer that is gone is EV_EOF for the writer, room or not") {
  for (const auto make_pair : {unix_pair, pipe_pair}) {
    Queue queue;
    Pair pair = make_pair();
    const std::string block(4096, 'x');
    while (::write(pair.theirs, block.data(), block.size()) > 0) {
    }
    queue.add(pair.theirs, EVFILT_WRITE);
    CHECK(queue.look().empty());
    pair.ours.close();
    CHECK(has(queue.only(), EV_EOF));
  }
}

TEST_CASE("kqueue emulation: what we have shut ourselves is EV_EOF for the writer") {
  Queue queue;
  const Pair pair = tcp_pair();
  queue.add(pair.ours, EVFILT_WRITE);
  REQUIRE(::shutdown(pair.ours, SHUT_WR) == 0);
  CHECK(has(queue.only(), EV_EOF));
}

// Fifos, Pipes: "When the last writer disconnects, the filter will set EV_EOF"
TEST_CASE("kqueue emulation: a pipe without a writer is at its end, after its bytes") {
  Queue queue;
  Pair pair = pipe_pair();
  send(pair.theirs, "xy");
  pair.theirs.close();
  queue.add(pair.ours, EVFILT_READ);
  const Event event = queue.only();
  CHECK(has(event, EV_EOF));
  CHECK(event.data == 2);
}

// Source: pipe_kqfilter().
TEST_CASE("kqueue emulation: a pipe that nobody reads takes no write filter: EPIPE") {
  Queue queue;
  Pair pair = pipe_pair();
  pair.ours.close();
  CHECK(queue.change(make(pair.theirs, EVFILT_WRITE, EV_ADD)) == EPIPE);
}

// Linux calls such a socket hung up. filt_sowrite() asks for a connection first.
TEST_CASE("kqueue emulation: a socket that was never connected is silent, and does not spin") {
  Queue queue;
  const Fd fresh(::socket(AF_INET, SOCK_STREAM, 0));
  queue.add(fresh, EVFILT_READ);
  queue.add(fresh, EVFILT_WRITE);
  CHECK(queue.look(4, {0, 3'000'000}).empty());
}

// EVFILT_USER, EV_CLEAR: "Reset the state of the event after it is retrieved by the user."
TEST_CASE("kqueue emulation: a user event is returned once for each time it was triggered") {
  Queue queue;
  REQUIRE(queue.change(user(EV_ADD | EV_CLEAR)) == 0);
  CHECK(queue.look().empty());
  for (int i = 0; i < 3; ++i) {
    CHECK(queue.change(user(0, NOTE_TRIGGER)) == 0);
    CHECK(queue.change(user(0, NOTE_TRIGGER)) == 0);
    CHECK(queue.only().filter == EVFILT_USER);
    CHECK(queue.look().empty());
  }
}

TEST_CASE("kqueue emulation: a user event without EV_CLEAR stays") {
  Queue queue;
  REQUIRE(queue.change(user(EV_ADD, NOTE_TRIGGER)) == 0);
  CHECK(queue.look().size() == 1);
  CHECK(queue.look().size() == 1);
  CHECK(queue.change(user(EV_DELETE)) == 0);
  CHECK(queue.look().empty());
}

// EV_KEEPUDATA is what makes it otherwise.
TEST_CASE("kqueue emulation: a trigger replaces udata too") {
  Queue queue;
  Event event = user(EV_ADD | EV_CLEAR);
  event.udata = &event;
  REQUIRE(queue.change(event) == 0);
  REQUIRE(queue.change(user(0, NOTE_TRIGGER)) == 0);
  CHECK(queue.only().udata == nullptr);
}

TEST_CASE("kqueue emulation: another thread's trigger ends a wait" * doctest::timeout(10)) {
  Queue queue;
  REQUIRE(queue.change(user(EV_ADD | EV_CLEAR)) == 0);
  std::thread other([&] { queue.change(user(0, NOTE_TRIGGER)); });
  Event event{};
  CHECK(::kevent(queue.fd, nullptr, 0, &event, 1, nullptr) == 1);
  other.join();
}

TEST_CASE("kqueue emulation: another thread's change is seen by a wait" * doctest::timeout(10)) {
  Queue queue;
  const Pair pair = unix_pair();
  std::thread other([&] { queue.add(pair.ours, EVFILT_WRITE); });
  Event event{};
  CHECK(::kevent(queue.fd, nullptr, 0, &event, 1, nullptr) == 1);
  other.join();
}

// ERRORS, EINTR: "A signal was delivered before the timeout expired and before any events were
// placed on the kqueue for return."
TEST_CASE("kqueue emulation: a signal ends a wait with EINTR" * doctest::timeout(10)) {
  struct sigaction action{};
  struct sigaction before{};
  action.sa_handler = ignore;
  REQUIRE(::sigaction(SIGUSR1, &action, &before) == 0);
  Queue queue;
  std::atomic<bool> done = false;
  const pthread_t waiting = ::pthread_self();
  std::thread sender([&] {
    while (!done.load()) {
      ::pthread_kill(waiting, SIGUSR1);
      std::this_thread::yield();
    }
  });
  Event event{};
  const int result = ::kevent(queue.fd, nullptr, 0, &event, 1, nullptr);
  const int error = errno;
  done.store(true);
  sender.join();
  ::sigaction(SIGUSR1, &before, nullptr);
  CHECK(result == -1);
  CHECK(error == EINTR);
}

// DESCRIPTION: "The queue is not inherited by a child created with fork(2)."
TEST_CASE("kqueue emulation: a child has no kqueue, and its parent still has") {
  Queue queue;
  const Pair pair = unix_pair();
  queue.add(pair.ours, EVFILT_WRITE);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::fcntl(queue.fd, F_GETFD) == -1 && errno == EBADF ? 0 : 1);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(queue.look().size() == 1);
}

TEST_CASE("kqueue emulation: a kqueue that is closed leaves no descriptor open") {
  const Fd before(::dup(STDERR_FILENO));
  const int number = before;
  {
    const Queue queue;
  }
  const Fd after(::dup(STDERR_FILENO));
  CHECK(after == number + 1);
}

TEST_SUITE_END();
