// SPDX-License-Identifier: MIT
#include <weir/reactor/sim/sim_trace.hpp>

#include <cerrno>
#include <cstdio>
#include <iterator>
#include <utility>

#include <weir/reactor/sim/sim_random.hpp>

namespace weir {
namespace {

constexpr std::string_view event_names[] = {
    "ready", "bytes", "end", "reset", "connected", "refused", "job", "clock",
};

constexpr Duration epoch = std::chrono::seconds(1000);  // SimKernel::start

struct ErrorName {
  int error;
  std::string_view name;
};
constexpr ErrorName error_names[] = {
    {EAGAIN, "EAGAIN"},
    {EBADF, "EBADF"},
    {ECONNABORTED, "ECONNABORTED"},
    {ECONNREFUSED, "ECONNREFUSED"},
    {ECONNRESET, "ECONNRESET"},
    {EDEADLK, "EDEADLK"},
    {EHOSTUNREACH, "EHOSTUNREACH"},
    {EINPROGRESS, "EINPROGRESS"},
    {EINTR, "EINTR"},
    {EIO, "EIO"},
    {EMFILE, "EMFILE"},
    {ENETDOWN, "ENETDOWN"},
    {ENETUNREACH, "ENETUNREACH"},
    {ENOBUFS, "ENOBUFS"},
    {ENOENT, "ENOENT"},
    {ENOMEM, "ENOMEM"},
    {ENOTCONN, "ENOTCONN"},
    {EPIPE, "EPIPE"},
    {EPROTO, "EPROTO"},
    {ETIMEDOUT, "ETIMEDOUT"},
};

std::string errno_name_of(int error) {
  for (const ErrorName& known : error_names) {
    if (known.error == error) return std::string(known.name);
  }
  return "errno " + std::to_string(error);
}

std::uint64_t ticks(TimePoint now) noexcept {
  return static_cast<std::uint64_t>(now.time_since_epoch().count());
}

}  // namespace

void SimTrace::add(std::uint64_t word) noexcept { hash_ = SimRandom::mixed(hash_ ^ word); }

void SimTrace::call(TimePoint now, Call call, int fd, std::int64_t value, int error) {
  ++events_;
  add(ticks(now));
  add((static_cast<std::uint64_t>(call) << 48U) ^ (static_cast<std::uint64_t>(error) << 32U) ^
      static_cast<std::uint32_t>(fd));
  add(static_cast<std::uint64_t>(value));
  if (!recording_) return;
  std::string text(to_string(call));
  if (fd >= 0) text += "(" + std::to_string(fd) + ")";
  text += " = " + (error != 0 ? errno_name_of(error) : std::to_string(value));
  add_line(now, std::move(text));
}

void SimTrace::event(TimePoint now, Event event, std::uint64_t what, std::int64_t value) {
  ++events_;
  add(ticks(now));
  add((static_cast<std::uint64_t>(event) << 56U) ^ what);
  add(static_cast<std::uint64_t>(value));
  if (!recording_) return;
  add_line(now, "  -- " + std::string(event_names[static_cast<std::size_t>(event)]) + " " +
                    std::to_string(what) + ": " + std::to_string(value));
}

void SimTrace::note(TimePoint now, std::string_view text) {
  add(ticks(now));
  for (const char byte : text) add(static_cast<unsigned char>(byte));
  if (recording_) add_line(now, "  ## " + std::string(text));
}

void SimTrace::add_line(TimePoint now, std::string text) {
  const Duration since = now.time_since_epoch() - epoch;
  char stamp[32];
  std::snprintf(stamp, sizeof stamp, "%12.6f ", std::chrono::duration<double>(since).count());
  lines_.push_back(stamp + std::move(text));
}

}  // namespace weir
