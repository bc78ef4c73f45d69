// SPDX-License-Identifier: MIT
//
// Facts this file rests on (proc(5)):
//  * The first number of /proc/PID/task/TID/schedstat is the time that the thread has run, in ns;
//    CONFIG_SCHED_INFO, which every distribution has. Threads that have ended are not in it.
//  * The first line of /proc/stat has user, nice, system, idle, iowait, irq, softirq and steal, in
//    ticks. Interrupts are left out: no process is charged for them.
#include <bench/serving/load/usage.hpp>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace weir::bench {
namespace {

std::uint64_t run_time_of(const std::string& process) {
  std::uint64_t sum = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + process + "/task")) {
    std::ifstream file(task.path() / "schedstat");
    std::uint64_t ns = 0;
    if (file >> ns) sum += ns;  // A thread may end while we look.
  }
  return sum;
}

std::uint64_t run_time_of_all() {
  std::ifstream file("/proc/stat");
  std::string cpu;
  std::uint64_t user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, soft = 0, steal = 0;
  if (!(file >> cpu >> user >> nice >> system >> idle >> waiting >> irq >> soft >> steal))
    throw std::runtime_error("/proc/stat is not as proc(5) has it");
  const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return (user + nice + system + steal) * (1'000'000'000U / ticks_per_second);
}

}  // namespace

Usage usage_now(pid_t server) {
  return {server == 0 ? 0 : run_time_of(std::to_string(server)), run_time_of("self"),
          run_time_of_all()};
}

}  // namespace weir::bench
