// SPDX-License-Identifier: MIT
#include <weir/reactor/trace/explain.hpp>

#include <cstdio>
#include <system_error>
#include <utility>

#include <weir/reactor/place.hpp>

namespace weir::detail {
namespace {

std::string milliseconds(Duration duration) {
  char digits[48];
  std::snprintf(digits, sizeof digits, "%.3f ms",
                std::chrono::duration<double, std::milli>(duration).count());
  return digits;
}

std::string count(std::int64_t bytes) {
  return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

std::string error_text(int error) { return std::generic_category().message(error); }

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

std::string bytes_text(const TraceRecord& record) {
  const bool read = record.event == TraceEvent::read;
  if (would_block(record.error)) return read ? "nothing yet" : "the kernel's buffer is full";
  if (record.error != 0) return error_text(record.error);
  if (read) return record.value == 0 ? "the end of the stream" : count(record.value);
  const std::string sent = "sends " + count(record.value);
  return record.value == record.asked ? sent : sent + " of " + std::to_string(record.asked);
}

std::string failed(const TraceRecord& record) {
  if (record.error == 0 || record.error == EINPROGRESS) return "";
  return ": " + error_text(record.error);
}

std::string fd_text(const TraceRecord& record) { return "fd " + std::to_string(record.fd); }

std::string place_of(const TraceRecord& record) {
  return record.place.line() == 0 ? "" : " in " + describe_place(record.place);
}

}  // namespace

void Explainer::begin(const TraceRecord& record, std::string text) {
  flush();
  if (!start_) start_ = record.at;
  char time[48];
  std::snprintf(time, sizeof time, "%10.3f ms  ",
                std::chrono::duration<double, std::milli>(record.at - *start_).count());
  pending_ = time + std::move(text);
}

void Explainer::add(std::string_view text) { pending_ += text; }

void Explainer::flush() {
  if (!pending_.empty()) line_(pending_);
  pending_.clear();
  about_ = 0;
}

void Explainer::tell(const TraceRecord& record) {
  switch (record.event) {
    case TraceEvent::wait: return tell_wait(record);
    case TraceEvent::poll: return;
    case TraceEvent::ready: return tell_ready(record);
    case TraceEvent::run: return tell_run(record);
    case TraceEvent::run_end: return tell_end(record);
    case TraceEvent::wake: return tell_wake(record);
    case TraceEvent::read:
    case TraceEvent::write: return tell_bytes(record);
    default: return tell_other(record);
  }
}

/// Nothing may come for a long time: what is known is said.
void Explainer::tell_wait(const TraceRecord& wait) {
  begin(wait, wait.timeout ? "the loop waits at most " + milliseconds(*wait.timeout)
                           : std::string("the loop waits"));
  flush();
}

void Explainer::tell_ready(const TraceRecord& ready) {
  const char* what = !ready.readable  ? "writable"
                     : ready.writable ? "readable and writable"
                                      : "readable";
  begin(ready, fd_text(ready) + " became " + what);
  about_ = ready.connection;
}

void Explainer::tell_run(const TraceRecord& run) {
  run_ = run;
  run_told_ = false;
  // The line about its descriptor tells of it; a read that looks again says what it saw.
  if (run.fd >= 0) run_told_ = true;
  if (!run.looks && !run_told_) admit_run();
}

/// The line that says what runs, at the latest when that does something.
void Explainer::admit_run() {
  if (std::exchange(run_told_, true)) return;
  if (run_.task == 0) {
    const char* due = run_.timer ? "a timer is due: " : "";
    return begin(run_, due + run_.name + (run_.place.line() == 0 ? " runs" : " runs, scheduled") +
                           place_of(run_));
  }
  const bool first = run_.place.line() == 0;
  const std::string what = run_.timer ? "'s time has come: it goes on" : " goes on";
  begin(run_, run_.name + (first ? " runs for the first time" : what + place_of(run_)));
}

void Explainer::tell_end(const TraceRecord& end) {
  if (end.looked_only && !run_told_) {
    run_told_ = true;
    if (!pending_.empty()) return add("; " + end.text);
    return begin(end, run_.name + ": " + end.text);
  }
  admit_run();
  if (end.text.empty()) return;
  begin(end, run_.name + " " + end.text);
}

void Explainer::tell_wake(const TraceRecord& wake) {
  if (wake.looks || wake.timer || wake.run == 0) return;  // Its run says so.
  admit_run();
  const std::string who = wake.task == 0 ? wake.name + place_of(wake) : wake.name;
  begin(wake, (run_.task != 0 || run_.fd >= 0 ? run_.name : "it") + " wakes " + who);
}

void Explainer::tell_bytes(const TraceRecord& bytes) {
  if (about_ == bytes.connection && about_ != 0 && bytes.event == TraceEvent::read) {
    return add(": " + bytes_text(bytes));
  }
  if (bytes.run != 0) admit_run();
  const bool sent = bytes.event == TraceEvent::write && bytes.error == 0;
  begin(bytes, fd_text(bytes) + (sent ? " " : ": ") + bytes_text(bytes));
  about_ = bytes.connection;
}

void Explainer::tell_other(const TraceRecord& record) {
  if (record.run != 0) admit_run();
  switch (record.event) {
    case TraceEvent::pause_reading:
      return begin(record, "reading from " + fd_text(record) + " pauses");
    case TraceEvent::resume_reading:
      return begin(record, "reading from " + fd_text(record) + " goes on");
    case TraceEvent::pause_writing:
      return begin(record, fd_text(record) + " has " + count(record.value) +
                               " to send, too many: pause_writing()");
    case TraceEvent::resume_writing:
      return begin(record, fd_text(record) + " has " + count(record.value) +
                               " to send, few enough: resume_writing()");
    case TraceEvent::cancel: return begin(record, "cancel() of " + record.name + place_of(record));
    case TraceEvent::accept:
      return begin(record, fd_text(record) + (record.error != 0
                                                  ? " accepts nobody" + failed(record)
                                                  : " accepts fd " + std::to_string(record.value)));
    case TraceEvent::connect: return begin(record, fd_text(record) + " connects" + failed(record));
    case TraceEvent::shutdown:
      return begin(record, fd_text(record) + " sends the end of the stream" + failed(record));
    case TraceEvent::close: return begin(record, fd_text(record) + " is closed");
    default: return;
  }
}

}  // namespace weir::detail
