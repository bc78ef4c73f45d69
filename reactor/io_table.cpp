// SPDX-License-Identifier: MIT
#include <weir/reactor/io_table.hpp>

namespace weir::detail {

IoTable::Entry& IoTable::entry(int fd) {
  if (!known(fd)) entries_.resize(index(fd) + 1);
  return entries_[index(fd)];
}

void IoTable::note_change(int fd, Entry& entry) {
  if (entry.changed) return;
  changed_.push_back(fd);
  entry.changed = true;
}

int IoTable::open(int fd, Runnable* reader, Runnable* writer) {
  Entry& its = entry(fd);
  const Interest interest = interest_of(reader != nullptr, writer != nullptr);
  if (interest != its.registered) {
    if (const int error = poller_.set(fd, its.generation, interest); error != 0) return error;
  }
  its.registered = interest;
  its.reader = reader;
  its.writer = writer;
  return 0;
}

void IoTable::set_reader(int fd, Runnable* reader) {
  Entry& its = entry(fd);
  note_change(fd, its);
  its.reader = reader;
}

void IoTable::set_writer(int fd, Runnable* writer) {
  Entry& its = entry(fd);
  note_change(fd, its);
  its.writer = writer;
}

void IoTable::forget(int fd) noexcept {
  if (!known(fd)) return;
  Entry& its = entries_[index(fd)];
  // Before the close, so that no dup of the descriptor stays registered. Forgetting cannot fail.
  if (its.registered != Interest::none) static_cast<void>(poller_.set(fd, its.generation, Interest::none));
  its.registered = Interest::none;
  its.reader = nullptr;
  its.writer = nullptr;
  its.owner = nullptr;
  ++its.generation;
}

int IoTable::flush(int* fd) {
  int first_error = 0;
  for (const int changed : changed_) {
    Entry& its = entries_[index(changed)];
    its.changed = false;
    const Interest wanted = interest_of(its.reader != nullptr, its.writer != nullptr);
    if (wanted == its.registered) continue;
    if (const int error = poller_.set(changed, its.generation, wanted); error == 0) {
      its.registered = wanted;
    } else if (first_error == 0) {
      first_error = error;
      *fd = changed;
    }
  }
  changed_.clear();
  return first_error;
}

}  // namespace weir::detail
