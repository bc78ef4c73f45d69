// SPDX-License-Identifier: MIT
#include <weir/reactor/trace/json.hpp>

#include <cstdint>
#include <cstdio>
#include <map>
#include <system_error>
#include <utility>

#include <weir/reactor/place.hpp>

// The format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
// ("Trace Event Format"). What is used of it: X a span, i an instant, M a name, s and f the two
// ends of an arrow. Each end of an arrow stands inside a span of its track.

namespace weir::detail {
namespace {

constexpr int loop_track = 1;

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') result += '\\';
    if (static_cast<unsigned char>(letter) >= 0x20) {
      result += letter;
    } else {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(letter));
      result += escaped;
    }
  }
  return result + "\"";
}

std::string microseconds(Duration duration) {
  char digits[48];
  std::snprintf(digits, sizeof digits, "%.3f",
                std::chrono::duration<double, std::micro>(duration).count());
  return digits;
}

const char* event_name(TraceEvent event) {
  switch (event) {
    case TraceEvent::wait: return "wait";
    case TraceEvent::poll: return "poll";
    case TraceEvent::ready: return "ready";
    case TraceEvent::run: return "run";
    case TraceEvent::run_end: return "run end";
    case TraceEvent::wake: return "wake";
    case TraceEvent::read: return "read";
    case TraceEvent::write: return "write";
    case TraceEvent::pause_reading: return "pause_reading";
    case TraceEvent::resume_reading: return "resume_reading";
    case TraceEvent::pause_writing: return "pause_writing";
    case TraceEvent::resume_writing: return "resume_writing";
    case TraceEvent::cancel: return "cancel";
    case TraceEvent::accept: return "accept";
    case TraceEvent::connect: return "connect";
    case TraceEvent::shutdown: return "shutdown";
    case TraceEvent::close: return "close";
  }
  return "unknown";
}

/// What an event says besides its place and time.
class Args {
 public:
  void text(const char* key, std::string_view value) {
    if (!value.empty()) member(key, quoted(value));
  }
  void number(const char* key, std::int64_t value) { member(key, std::to_string(value)); }
  void error(int error) {
    if (error != 0) text("error", std::generic_category().message(error));
  }
  std::string json() const { return "{" + members_ + "}"; }

 private:
  void member(const char* key, const std::string& value) {
    if (!members_.empty()) members_ += ",";
    members_ += quoted(key) + ":" + value;
  }
  std::string members_;
};

/// One loop's records.
class Writer {
 public:
  Writer(const TraceRing& records, int process, std::string& out)
      : records_(records), process_(process), out_(out) {}

  void write() {
    name("process_name", loop_track, "loop " + std::to_string(process_));
    name("thread_name", loop_track, "loop");
    for (std::size_t i = 0; i < records_.size(); ++i) look(records_[i]);
    for (std::size_t i = 0; i < records_.size(); ++i) write(records_[i]);
  }

 private:
  struct Run {
    const TraceRecord* begin = nullptr;
    const TraceRecord* end = nullptr;
  };

  /// Both ends of a run, and of an arrow, must be there.
  void look(const TraceRecord& record) {
    last_ = std::max(last_, record.at);
    if (record.event == TraceEvent::wake) ++arrows_[record.wake];
    if (record.event == TraceEvent::run_end) runs_[record.run].end = &record;
    if (record.event != TraceEvent::run) return;
    runs_[record.run].begin = &record;
    if (record.wake != 0) ++arrows_[record.wake];
  }
  bool has_both_ends(std::uint64_t wake) const {
    const auto found = arrows_.find(wake);
    return found != arrows_.end() && found->second == 2;
  }

  int track(const TraceRecord& record) {
    if (record.task != 0) return track(tasks_, record.task, record.name);
    if (record.connection == 0) return loop_track;
    return track(connections_, record.connection, "fd " + std::to_string(record.fd));
  }
  int track(std::map<std::uint64_t, int>& tracks, std::uint64_t key, const std::string& its_name) {
    const auto [found, is_new] = tracks.try_emplace(key, next_track_);
    if (is_new) name("thread_name", next_track_++, its_name);
    return found->second;
  }

  void write(const TraceRecord& record) {
    switch (record.event) {
      case TraceEvent::run: return write_run(record);
      case TraceEvent::run_end:
      case TraceEvent::wait: return;
      case TraceEvent::wake: return write_wake(record);
      case TraceEvent::poll: return write_poll(record);
      default: return write_instant(record);
    }
  }

  void write_poll(const TraceRecord& poll) {
    Args args;
    if (poll.timeout) args.text("at most", microseconds(*poll.timeout) + " us");
    args.number("ready", poll.value);
    span("poll", loop_track, poll.at, poll.at + poll.took, args);
  }

  void write_run(const TraceRecord& run) {
    const TraceRecord* end = runs_[run.run].end;
    Args args;
    if (run.place.line() != 0) args.text("from", describe_place(run.place));
    if (end != nullptr) args.text("then", end->text);
    span(run.name, track(run), run.at, end != nullptr ? end->at : last_, args);
    if (has_both_ends(run.wake)) arrow("f", run.wake, track(run), run.at);
  }

  /// What no run has woken was woken by the loop: a timer, another thread, a signal.
  void write_wake(const TraceRecord& wake) {
    if (!has_both_ends(wake.wake)) return;
    const auto found = runs_.find(wake.run);
    int from = loop_track;
    if (found != runs_.end() && found->second.begin != nullptr) {
      from = track(*found->second.begin);
    } else {
      span(wake.timer ? "timer" : "wake", loop_track, wake.at, wake.at, Args());
    }
    arrow("s", wake.wake, from, wake.at);
  }

  void write_instant(const TraceRecord& record) {
    Args args;
    if (record.event == TraceEvent::ready) {
      args.text("for",
                record.readable ? record.writable ? "reading and writing" : "reading" : "writing");
    } else if (record.event == TraceEvent::accept) {
      args.number("fd", record.value);
    } else if (record.fd >= 0 && record.error == 0) {
      args.number("bytes", record.value);
      if (record.asked != 0) args.number("of", record.asked);
    }
    args.error(record.error);
    if (record.place.line() != 0) args.text("from", describe_place(record.place));
    event("i", event_name(record.event), track(record), record.at,
          ",\"s\":\"t\",\"args\":" + args.json());
  }

  void span(std::string_view its_name, int on, TimePoint from, TimePoint to, const Args& args) {
    event("X", its_name, on, from,
          ",\"dur\":" + microseconds(to - from) + ",\"args\":" + args.json());
  }
  void arrow(const char* phase, std::uint64_t wake, int on, TimePoint at) {
    const std::uint64_t id = (static_cast<std::uint64_t>(process_) << 40U) + wake;
    event(
        phase, "wake", on, at,
        ",\"cat\":\"wake\",\"id\":" + std::to_string(id) + (*phase == 'f' ? ",\"bp\":\"e\"" : ""));
  }
  void name(const char* kind, int on, const std::string& its_name) {
    Args args;
    args.text("name", its_name);
    line("\"ph\":\"M\",\"name\":" + quoted(kind) + ",\"pid\":" + std::to_string(process_) +
         ",\"tid\":" + std::to_string(on) + ",\"args\":" + args.json());
  }
  void event(const char* phase, std::string_view its_name, int on, TimePoint at,
             const std::string& more) {
    line("\"ph\":\"" + std::string(phase) + "\",\"name\":" + quoted(its_name) +
         ",\"pid\":" + std::to_string(process_) + ",\"tid\":" + std::to_string(on) +
         ",\"ts\":" + microseconds(at.time_since_epoch()) + more);
  }
  void line(const std::string& members) {
    if (!out_.ends_with('[')) out_ += ",";
    out_ += "\n{" + members + "}";
  }

  const TraceRing& records_;
  int process_;
  std::string& out_;
  TimePoint last_{};
  int next_track_ = loop_track + 1;
  std::map<std::uint64_t, Run> runs_;
  std::map<std::uint64_t, int> arrows_;  // How many of its ends are there.
  std::map<std::uint64_t, int> tasks_;
  std::map<std::uint64_t, int> connections_;
};

}  // namespace

std::string trace_json(std::span<const TraceRing* const> loops) {
  std::string out = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
  int process = 0;
  for (const TraceRing* loop : loops) Writer(*loop, ++process, out).write();
  return out + "\n]}\n";
}

}  // namespace weir::detail
