// Internal: used by the tests of drain() and wait_closed().
// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/streams/stream_loop.hpp>

namespace weir::test {

/// What one task says, by its exact type and text.
inline std::string said_in_short(const std::string& said) {
  if (said == "ConnectionResetError: Connection lost") return "lost";
  if (said == "ConnectionResetError: [Errno 104] Connection reset by peer") return "reset";
  if (said == "BrokenPipeError: [Errno 32] Broken pipe") return "epipe";
  if (said == "CancelledError") return "cancelled";
  if (said == "PENDING") return "pending";
  return said;
}

/// A row of a table about writers: words, done one after the other on a connection in memory. The
/// kernel takes 10 bytes until the peer reads; the marks are 20 and 100; every write is sent at
/// once, as asyncio does.
///
///     write:N        close  abort        what our side does
///     drain:a  closed:a  read:a  cancel:a      a task, by name; read is read(100)
///     send:a         a task that writes five bytes, and drains in the same step
///     take  eof  hangup  rst  put:TEXT   what the peer does
///     epipe          the next send() fails with EPIPE
///     .              everything happens that can; a millisecond goes by
///     =              exactly one pass
///     a?WHAT         task a is: pending, done, lost, reset, epipe, cancelled, "bytes"
class WriterScript {
 public:
  explicit WriterScript(StreamLoop& test, bool with_reader = true)
      : test_(test), made_(test.connect(default_limit_bytes, 10)) {
    made_.writer.transport()->set_write_buffer_limits(100, 20);
    made_.writer.transport()->set_gather(false);
    if (with_reader) {
      writer_.emplace(made_.writer);
    } else {
      auto protocol =
          std::dynamic_pointer_cast<FlowControlMixin>(made_.writer.transport()->get_protocol());
      writer_.emplace(made_.writer.transport(), protocol, std::nullopt, &test.loop);
    }
  }

  void run(std::string_view words) {
    std::istringstream all{std::string(words)};
    for (std::string word; all >> word;) {
      done_ += word + " ";
      INFO("after: ", done_);
      step(word);
    }
  }
  const Task<>& task(const std::string& name) const { return tasks_.at(name); }
  const Task<std::string>& reading(const std::string& name) const { return reads_.at(name); }

 private:
  void step(const std::string& word) {
    if (const std::size_t at = word.find('?'); at != std::string::npos) {
      CHECK(said_of(word.substr(0, at)) == word.substr(at + 1));
      return;
    }
    const std::size_t colon = word.find(':');
    if (colon != std::string::npos) return act(word.substr(0, colon), word.substr(colon + 1));
    if (word == ".") return test_.turn();
    if (word == "=") return test_.pass();
    if (word == "close") return writer_->close();
    if (word == "abort") return writer_->transport()->abort();
    if (word == "take") return static_cast<void>(test_.kernel.take(made_.theirs));
    if (word == "eof") return test_.kernel.put_eof(made_.theirs);
    if (word == "hangup") return static_cast<void>(test_.kernel.close(made_.theirs));
    if (word == "rst") return test_.kernel.reset(made_.theirs);
    if (word == "epipe") return test_.kernel.script(Call::send, {.value = 0, .error = EPIPE});
    FAIL("no such word: " << word);
  }
  void act(const std::string& verb, const std::string& what) {
    if (verb == "write") return writer_->write(std::string(std::stoul(what), 'x'));
    if (verb == "put") return test_.kernel.put(made_.theirs, what);
    if (verb == "cancel") return static_cast<void>(tasks_.at(what).cancel());
    if (verb == "read") {
      reads_.insert_or_assign(what, test_.loop.create_task(made_.reader.read(100)));
    } else if (verb == "drain") {
      tasks_.insert_or_assign(what, test_.loop.create_task(writer_->drain()));
    } else if (verb == "send") {
      tasks_.insert_or_assign(what, test_.loop.create_task(write_and_drain(*writer_)));
    } else if (verb == "closed") {
      tasks_.insert_or_assign(what, test_.loop.create_task(writer_->wait_closed()));
    } else {
      FAIL("no such word: " << verb);
    }
  }
  static Coro<> write_and_drain(StreamWriter writer) {
    writer.write("five.");
    co_await writer.drain();
  }
  std::string said_of(const std::string& name) const {
    const auto found = tasks_.find(name);
    return said_in_short(found != tasks_.end() ? said(found->second) : said(reads_.at(name)));
  }

  StreamLoop& test_;
  Connected made_;
  std::optional<StreamWriter> writer_;
  std::map<std::string, Task<>> tasks_;
  std::map<std::string, Task<std::string>> reads_;
  std::string done_;
};

struct WriterRow {
  std::string_view situation;
  std::string_view words;
  bool with_reader = true;
};

inline void run_rows(std::initializer_list<WriterRow> rows) {
  for (const WriterRow& row : rows) {
    INFO(row.situation);
    StreamLoop test;
    WriterScript script(test, row.with_reader);
    script.run(row.words);
  }
}

}  // namespace weir::test
