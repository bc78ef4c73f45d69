// SPDX-License-Identifier: MIT
//
// What the emulation does not let pass: what a BSD kernel would punish, or do without a word, and
// what it would do and the emulation cannot. Each ends the program; so a child does it.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/event.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <cstdint>
#include <functional>
#include <string>

namespace {

using Event = struct kevent;

Event make(int filter, unsigned flags, std::uintptr_t ident = STDERR_FILENO) {
  Event event{};
  event.ident = ident;
  event.filter = static_cast<decltype(Event::filter)>(filter);
  event.flags = static_cast<decltype(Event::flags)>(flags);
  return event;
}

int change(int kq, const Event& event) { return ::kevent(kq, &event, 1, nullptr, 0, nullptr); }

/// What a child that does this says before it aborts; empty if it does not abort.
std::string last_words(const std::function<void(int kq)>& misuse) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::signal(SIGABRT, SIG_DFL);  // Not doctest's.
    ::dup2(ends[1], STDERR_FILENO);
    misuse(::kqueue());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string words;
  char part[256];
  for (ssize_t count = 0; (count = ::read(ends[0], part, sizeof part)) > 0;) {
    words.append(part, static_cast<std::size_t>(count));
  }
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? words : std::string();
}

void check_dies(const std::string& words, const std::function<void(int kq)>& misuse) {
  CHECK(last_words(misuse) == "kqueue emulation: " + words + "\n");
}

}  // namespace

TEST_SUITE_BEGIN("support/kqueue");

TEST_CASE("kqueue emulation, misuse: what is allowed lives") {
  CHECK(last_words([](int kq) { change(kq, make(EVFILT_READ, EV_ADD)); }).empty());
}

// ERRORS, EBADF: and if the number has a new owner, its events are another's.
TEST_CASE("kqueue emulation, misuse: a kqueue that was closed") {
  check_dies("kevent() on descriptor 1023, which is no kqueue", [](int kq) {
    ::fcntl(kq, F_DUPFD, 1023);  // A dup is another number, which the emulation does not know.
    ::close(kq);
    change(1023, make(EVFILT_READ, EV_ADD));
  });
}

// EV_RECEIPT: without room "subsequent changes will not get processed"
TEST_CASE("kqueue emulation, misuse: no room for a receipt") {
  check_dies("no room for the receipt of a change: what follows would be lost", [](int kq) {
    const Event changes[] = {make(EVFILT_READ, EV_ADD | EV_RECEIPT),
                             make(EVFILT_WRITE, EV_ADD | EV_RECEIPT)};
    Event room[1];
    ::kevent(kq, changes, 2, room, 1, nullptr);
  });
}

TEST_CASE("kqueue emulation, misuse: adding and deleting at once") {
  check_dies("EV_ADD and EV_DELETE in one change",
             [](int kq) { change(kq, make(EVFILT_READ, EV_ADD | EV_DELETE)); });
}

TEST_CASE("kqueue emulation, misuse: a filter or a flag that it does not have") {
  check_dies("filter -7 is not emulated", [](int kq) { change(kq, make(-7, EV_ADD)); });
  check_dies("flags 0x11 are not emulated",
             [](int kq) { change(kq, make(EVFILT_READ, EV_ADD | EV_ONESHOT)); });
  check_dies("fflags 0x1 of EVFILT_USER are not emulated", [](int kq) {
    Event event = make(EVFILT_USER, EV_ADD);
    event.fflags = 1;
    change(kq, event);
  });
}

TEST_CASE("kqueue emulation, misuse: an edge, or a low-water mark") {
  check_dies("EV_CLEAR on a descriptor is not emulated: poll the level",
             [](int kq) { change(kq, make(EVFILT_READ, EV_ADD | EV_CLEAR)); });
  check_dies("NOTE_LOWAT is not emulated", [](int kq) {
    Event event = make(EVFILT_READ, EV_ADD);
    event.data = 1;
    change(kq, event);
  });
}

// Vnodes are legal on BSD: weir keeps them out itself, and here is who notices if it does not.
TEST_CASE("kqueue emulation, misuse: a regular file or a directory") {
  check_dies("descriptor 99 is a file: vnodes are not emulated", [](int kq) {
    ::dup2(::open("/", O_RDONLY | O_DIRECTORY), 99);
    change(kq, make(EVFILT_READ, EV_ADD, 99));
  });
}

// ERRORS, EINVAL: "The specified time limit or filter is invalid."
TEST_CASE("kqueue emulation, misuse: a time limit that is none") {
  for (const timespec limit : {timespec{0, 1'000'000'000}, timespec{-1, 0}, timespec{0, -1}}) {
    check_dies("the time limit is invalid [EINVAL]", [&](int kq) {
      Event room[1];
      ::kevent(kq, nullptr, 0, room, 1, &limit);
    });
  }
}

// ERRORS, EFAULT
TEST_CASE("kqueue emulation, misuse: lists that are not there") {
  check_dies("no changelist [EFAULT]",
             [](int kq) { ::kevent(kq, nullptr, 1, nullptr, 0, nullptr); });
  check_dies("no eventlist [EFAULT]",
             [](int kq) { ::kevent(kq, nullptr, 0, nullptr, 1, nullptr); });
  check_dies("a negative number of events [EINVAL]",
             [](int kq) { ::kevent(kq, nullptr, -1, nullptr, 0, nullptr); });
}

TEST_SUITE_END();
