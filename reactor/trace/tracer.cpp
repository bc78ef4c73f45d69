// SPDX-License-Identifier: MIT
#include <weir/reactor/trace/tracer.hpp>

#include <new>
#include <optional>
#include <string>

#include <weir/reactor/no_alloc.hpp>
#include <weir/reactor/place.hpp>

namespace weir::detail {

template <class Step>
void Tracer::attempt(const Step& step) noexcept {
  const MayAllocScope watching;
  try {
    step();
  } catch (...) {  // No memory. Whoever is watched must not feel it.
    ++lost_;
  }
}

void Tracer::push(TraceRecord record) {
  if (record.event != TraceEvent::poll) record.at = now();
  record.run = run_;
  if (record.fd >= 0 && record.connection == 0) record.connection = connection(record.fd);
  if (listener_) listener_(record);
  ring_.push(std::move(record));
}

std::uint64_t Tracer::connection(int fd) {
  const auto slot = static_cast<std::size_t>(fd);
  if (slot >= connections_.size()) connections_.resize(slot + 1);
  if (connections_[slot] == 0) connections_[slot] = ++connection_count_;
  return connections_[slot];
}

// ---- Runs, and who wakes them

RunNote Tracer::note_of(Runnable& runnable, TraceRecord& record) {
  RunNote note;
  if (runnable.kind->note != nullptr) runnable.kind->note(runnable, note);
  record.task = note.task;
  record.fd = note.fd;
  record.looks = note.looks;
  record.timer = note.due && *note.due <= now();
  record.place = users_place(note.stack);
  if (note.task != 0) {
    record.name = note.name;
  } else if (note.fd >= 0) {
    record.name = "fd " + std::to_string(note.fd);
  } else {
    record.name = note.stack.empty() ? runnable.kind->describe(runnable) : "a callback";
  }
  return note;
}

void Tracer::note_wake(Runnable& item) {
  TraceRecord record;
  record.event = TraceEvent::wake;
  note_of(item, record);
  record.wake = ++wakes_;
  woken_[&item] = {record.wake, record.timer && run_ == 0};
  push(std::move(record));
}

/// What is new in the queue was woken by what runs now, or ran just before.
void Tracer::note_wakes(const ReadyQueue& ready) {
  const QueuePosition since = std::exchange(seen_, ready.end());
  if (since == seen_) return;
  ready.for_each_from(since, [this](Queueable& item) { note_wake(item); });
}

void Tracer::begin_run(Runnable& runnable, const ReadyQueue& ready) noexcept {
  attempt([&] {
    // What a timer, another thread or a signal has queued first has left the queue by now.
    if (seen_ != ready.end() && !ready.starts_at(seen_)) note_wake(runnable);
    note_wakes(ready);
    TraceRecord record;
    record.event = TraceEvent::run;
    outcome_ = note_of(runnable, record).outcome;
    record.timer = false;
    if (const auto found = woken_.find(&runnable); found != woken_.end()) {
      record.wake = found->second.wake;
      record.timer = found->second.timer;
      woken_.erase(found);
    }
    run_ = ++runs_;
    push(std::move(record));
  });
}

void Tracer::end_run(const ReadyQueue& ready) noexcept {
  attempt([&] {
    note_wakes(ready);
    TraceRecord record;
    record.event = TraceEvent::run_end;
    if (outcome_) {
      RunOutcome outcome = outcome_();
      record.text = std::move(outcome.text);
      record.looked_only = outcome.looked_only;
    }
    push(std::move(record));
  });
  run_ = 0;
  outcome_ = nullptr;  // Last: it may have kept something of the user's alive.
}

void Tracer::renumber(const ReadyQueue& ready) noexcept {
  attempt([&] {
    ready.for_each([this](Queueable& item) {
      if (!woken_.contains(&item)) note_wake(item);
    });
    seen_ = ready.end();
  });
}

void Tracer::finish() noexcept {
  if (finished_) attempt(finished_);
}

// ---- The kernel

void Tracer::waits(std::optional<Duration> timeout) noexcept {
  attempt([&] {
    TraceRecord record;
    record.event = TraceEvent::wait;
    record.timeout = timeout;
    push(std::move(record));
  });
}

void Tracer::polled(TimePoint start, std::optional<Duration> timeout,
                    std::span<const Ready> ready) noexcept {
  attempt([&] {
    TraceRecord record;
    record.at = start;
    record.took = now() - start;
    record.timeout = timeout;
    record.value = static_cast<std::int64_t>(ready.size());
    push(std::move(record));
    for (const Ready& event : ready) {
      TraceRecord one;
      one.event = TraceEvent::ready;
      one.fd = event.fd;
      one.readable = event.readable;
      one.writable = event.writable;
      push(std::move(one));
    }
  });
}

void Tracer::happened(TraceEvent event, int fd, std::int64_t value, std::int64_t asked,
                      int error) noexcept {
  attempt([&] {
    TraceRecord record;
    record.event = event;
    record.fd = fd;
    record.value = value;
    record.asked = asked;
    record.error = error;
    push(std::move(record));
  });
}

void Tracer::closed(int fd) noexcept {
  happened(TraceEvent::close, fd);
  const auto slot = static_cast<std::size_t>(fd);
  if (fd >= 0 && slot < connections_.size()) connections_[slot] = 0;
}

// ---- Cancellation

void Tracer::cancelled(std::uint64_t task, const std::function<std::string()>& name) noexcept {
  attempt([&] {
    TraceRecord record;
    record.event = TraceEvent::cancel;
    record.task = task;
    record.name = name();
    push(std::move(record));
  });
}

void Tracer::cancelled(const Runnable& handle, const std::source_location& place) noexcept {
  attempt([&] {
    woken_.erase(&handle);
    TraceRecord record;
    record.event = TraceEvent::cancel;
    record.name = "a callback";
    record.place = place;
    push(std::move(record));
  });
}

}  // namespace weir::detail
