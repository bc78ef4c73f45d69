// SPDX-License-Identifier: MIT
//
// run() and real signals, each in a process of its own.

#include <doctest/doctest.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include <weir/reactor/error.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/runner.hpp>
#include <weir/reactor/task/sleep.hpp>

using weir::CancelledError;
using weir::Coro;
using weir::KeyboardInterrupt;
using namespace std::chrono_literals;

namespace {

void say(int fd, char letter) {
  if (::write(fd, &letter, 1) != 1) ::_exit(99);
}

/// A process that runs `program` under run(), writes a letter at each step, and exits with what run
/// returns.
class Child {
 public:
  template <class Program>
  explicit Child(Program program) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    process_ = ::fork();
    REQUIRE(process_ >= 0);
    if (process_ == 0) {
      ::signal(SIGINT, SIG_DFL);
      ::_exit(program(ends[1]));
    }
    ::close(ends[1]);
    steps_ = ends[0];
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::close(steps_);
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
  }

  /// The next letter, or 0 if the process is gone.
  char next_step() const {
    char letter = 0;
    return ::read(steps_, &letter, 1) == 1 ? letter : '\0';
  }
  void interrupt() const { ::kill(process_, SIGINT); }
  /// How it ended, as waitpid() says it.
  int wait() {
    int status = 0;
    REQUIRE(::waitpid(process_, &status, 0) == process_);
    process_ = -1;
    return status;
  }

 private:
  pid_t process_ = -1;
  int steps_ = -1;
};

Coro<int> sleeps(int steps) {
  say(steps, 's');
  co_await weir::sleep(1h);
  co_return 7;
}

/// On the first SIGINT it says goodbye, and takes an hour for it.
Coro<int> lingers(int steps) {
  bool interrupted = false;
  try {
    co_await sleeps(steps);
  } catch (const CancelledError&) {
    interrupted = true;
  }
  if (interrupted) co_await sleeps(steps);
  co_return 8;
}

Coro<std::string> sleeps_for_a_word(int steps) {
  co_await sleeps(steps);
  co_return "word";
}

}  // namespace

TEST_SUITE("system/runner_sigint" * doctest::timeout(10)) {
  TEST_CASE("SIGINT: the first one cancels main, and run gives 130") {
    Child child([](int steps) { return weir::run(sleeps(steps)); });
    REQUIRE(child.next_step() == 's');
    child.interrupt();
    const int status = child.wait();
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 130);
  }

  TEST_CASE("SIGINT: a second one kills") {
    Child child([](int steps) { return weir::run(lingers(steps)); });
    REQUIRE(child.next_step() == 's');
    child.interrupt();
    REQUIRE(child.next_step() == 's');
    child.interrupt();
    const int status = child.wait();
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGINT);
  }

  TEST_CASE("SIGINT: without an exit code to give, run throws KeyboardInterrupt") {
    Child child([](int steps) {
      try {
        weir::run(sleeps_for_a_word(steps));
      } catch (const KeyboardInterrupt&) {
        return 9;
      }
      return 0;
    });
    REQUIRE(child.next_step() == 's');
    child.interrupt();
    const int status = child.wait();
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 9);
  }

  TEST_CASE("SIGINT: a program that ignores it goes on") {
    Child child([](int steps) {
      ::signal(SIGINT, SIG_IGN);
      const auto raises = [](int into) -> Coro<int> {
        ::raise(SIGINT);
        co_await weir::sleep(0s);
        say(into, 's');
        co_return 7;
      };
      return weir::run(raises(steps));
    });
    CHECK(child.next_step() == 's');
    const int status = child.wait();
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 7);
  }
}
