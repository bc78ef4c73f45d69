// SPDX-License-Identifier: MIT
#include <tests/probes/probe.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

namespace probe {

doctest::String toString(Fate fate) {
  switch (fate) {
    case Fate::ran: return "ran";
    case Fate::misplaced: return "misplaced";
    case Fate::never_ran: return "never ran";
    case Fate::stuck: return "stuck";
    case Fate::destroyed_twice: return "destroyed twice";
    case Fate::leaked: return "leaked";
    case Fate::crashed: break;
  }
  return "crashed";
}

void Lazy::run() const {
  suspended = {};
  start();
  while (suspended) std::exchange(suspended, {}).resume();
}

namespace {

Fate balance(int alive_before) {
  if (Tracked::alive < alive_before) return Fate::destroyed_twice;
  return Tracked::alive > alive_before ? Fate::leaked : Fate::ran;
}

Fate fate_in_mode(const Maker& make, Mode wanted) {
  mode = wanted;
  const int alive_before = Tracked::alive;
  try {
    const Lazy coroutine = make();
    coroutine.run();
    if (!coroutine.promise().entered) return Fate::never_ran;
    if (!coroutine.promise().finished) return Fate::stuck;
  } catch (const MisplacedFrame&) {
    return Fate::misplaced;
  }
  return balance(alive_before);
}

}  // namespace

Fate fate_of(const Maker& make) {
  const Fate when_ready = fate_in_mode(make, Mode::ready);
  return when_ready != Fate::ran ? when_ready : fate_in_mode(make, Mode::suspending);
}

Fate fate_when_dropped(const Maker& make) {
  mode = Mode::suspending;
  const int alive_before = Tracked::alive;
  {
    const Lazy coroutine = make();
    coroutine.start();
    if (!coroutine.promise().entered) return Fate::never_ran;
    if (coroutine.promise().finished) return Fate::stuck;
  }
  return balance(alive_before);
}

Fate fate_in_child(const std::function<Fate()>& look) {
  constexpr int first_code = 50;  // Apart from the exit codes of the sanitizers.
  std::cout.flush();              // What is buffered is the parent's to print.
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE}) {
      std::signal(signal, SIG_DFL);  // Not doctest's handler: the parent reports.
    }
    ::dup2(::open("/dev/null", O_WRONLY), STDERR_FILENO);
    ::_exit(first_code + static_cast<int>(look()));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status)) return Fate::crashed;
  const int code = WEXITSTATUS(status) - first_code;
  return code < 0 || code > static_cast<int>(Fate::crashed) ? Fate::crashed
                                                            : static_cast<Fate>(code);
}

}  // namespace probe
