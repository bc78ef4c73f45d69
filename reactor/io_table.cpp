// SPDX-License-Identifier: MIT
#include <weir/reactor/io_table.hpp>

#include <algorithm>
#include <cerrno>
#include <new>

namespace weir::detail {

IoTable::Entry& IoTable::entry(int fd) {
  if (!known(fd)) {
    // First, so that no change of interest ever needs memory.
    const std::size_t size = index(fd) + 1;
    if (size > changed_.capacity()) changed_.reserve(std::max(size, 2 * changed_.capacity()));
    entries_.resize(size);
  }
  return entries_[index(fd)];
}

IoTable::Entry& IoTable::changed_entry(int fd) noexcept {
  Entry& its = entries_[index(fd)];
  if (!its.changed) changed_.push_back(fd);
  its.changed = true;
  return its;
}

int IoTable::open(int fd, Runnable* reader, Runnable* writer) {
  const Entry before = known(fd) ? entries_[index(fd)] : Entry();
  const Interest interest = interest_of(reader != nullptr, writer != nullptr);
  // Registered already: perhaps for a file that was closed without a word, and the number is
  // another's now. A new generation makes the poller ask the kernel again, instead of believing
  // that nothing has changed.
  const bool again = interest != Interest::none && interest == before.registered;
  const std::uint32_t generation = before.generation + (again ? 1U : 0U);
  if (again || interest != before.registered) {
    if (const int error = poller_.set(fd, generation, interest); error != 0) return error;
  }
  try {
    // Only now: a number that the kernel takes is small; a wild one makes no huge table.
    entry(fd);
  } catch (const std::bad_alloc&) {
    static_cast<void>(poller_.set(fd, generation, Interest::none));
    return ENOMEM;
  }
  Entry& its = entries_[index(fd)];
  accept(its);
  its.generation = generation;
  its.registered = interest;
  its.set_reader(reader);
  its.writer = writer;
  return 0;
}

void IoTable::set_reader(int fd, Runnable* reader) noexcept {
  changed_entry(fd).set_reader(reader);
}

void IoTable::set_writer(int fd, Runnable* writer) noexcept { changed_entry(fd).writer = writer; }

void IoTable::forget(int fd) noexcept {
  if (!known(fd)) return;
  Entry& its = entries_[index(fd)];
  // Before the close, so that no dup of the descriptor stays registered. Forgetting cannot fail.
  if (its.registered != Interest::none) {
    static_cast<void>(poller_.set(fd, its.generation, Interest::none));
  }
  its.registered = Interest::none;
  its.owned = false;
  its.set_reader(nullptr);
  its.writer = nullptr;
  accept(its);
  ++its.generation;
}

int IoTable::flush(int* fd) {
  for (auto at = changed_.begin(); at != changed_.end(); ++at) {
    Entry& its = entries_[index(*at)];
    its.changed = false;
    const Interest wanted = its.wanted();
    if (wanted == its.registered) {
      accept(its);
      continue;
    }
    if (const int error = poller_.set(*at, its.generation, wanted); error != 0) {
      if (!refuse(*at, its)) continue;
      *fd = *at;
      changed_.erase(changed_.begin(), at + 1);
      return error;
    }
    its.registered = wanted;
    accept(its);
  }
  changed_.clear();
  return 0;
}

/// Whether that is news.
bool IoTable::refuse(int fd, Entry& entry) noexcept {
  if (entry.registered != Interest::none) {
    static_cast<void>(poller_.set(fd, entry.generation, Interest::none));
    entry.registered = Interest::none;
  }
  const bool news = !entry.refused;
  if (news) ++refused_count_;
  entry.refused = true;
  return news;
}

void IoTable::accept(Entry& entry) noexcept {
  if (entry.refused) --refused_count_;
  entry.refused = false;
}

void IoTable::retry_refused() noexcept {
  for (int fd = 0; fd < size(); ++fd) {
    if (entries_[index(fd)].refused) changed_entry(fd);
  }
}

}  // namespace weir::detail
