// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tests/net/net_loop.hpp>

using namespace weir;
using weir::test::NetLoop;
using weir::test::Recorder;

namespace {

/// A connection under test: what is done to it, and what must come of it whatever that is.
struct Subject {
  explicit Subject(NetLoop& its_fixture, std::size_t capacity = 10) : fixture(its_fixture) {
    link = fixture.start();
    fixture.kernel.set_capacity(fd = NetLoop::fd_of(link), capacity);
    heard_by = {link.protocol};
    link.transport->set_write_buffer_limits(20, 5);
  }

  /// After write_eof() it is refused, and nothing is written.
  void write(std::size_t size) {
    writelines({std::string(size, static_cast<char>('a' + writes++ % 26))});
  }
  void writelines(const std::vector<std::string>& texts) {
    const std::size_t before = written.size();
    for (const std::string& text : texts) written += text;  // First: pause_writing may write, too.
    try {
      const std::vector<std::string_view> pieces(texts.begin(), texts.end());
      pieces.size() == 1 ? link.transport->write(pieces[0]) : link.transport->writelines(pieces);
    } catch (const RuntimeError&) {
      written.resize(before);
    }
  }
  /// The protocol that hears now.
  Recorder& protocol() const { return *heard_by.back(); }

  /// Everything that can happen to a connection, then its end.
  void live_and_die() {
    fixture.run();
    if (!link.transport->is_closing()) fixture.in_loop([this] { write(50); });
    fixture.kernel.put(link.peer, "data");
    fixture.run();
    arrived += fixture.take_all(link.peer);
    fixture.kernel.put_eof(link.peer);
    fixture.run();
    link.transport->resume_reading();
    fixture.run();
    link.transport->close();
    fixture.run();
    arrived += fixture.take_all(link.peer);
    if (!lost()) link.transport->abort();
    fixture.run();
  }
  bool lost() const {
    for (const auto& recorder : heard_by) {
      if (recorder->lost()) return true;
    }
    return false;
  }
  /// What is wrong, or nothing.
  std::string complaint() {
    int times_lost = 0;
    for (const auto& recorder : heard_by) times_lost += recorder->lost() ? 1 : 0;
    if (times_lost == 0) return "never lost";
    if (times_lost > 1) return "lost twice";
    if (!written.starts_with(arrived)) return "what arrived is not what was written";
    if (!fixture.fds_of_ours().empty()) return "a descriptor is left";
    if (!fixture.kernel.misuses().empty()) return fixture.kernel.misuses().front();
    if (link.transport->get_protocol() != nullptr) return "the protocol is held";
    if (link.transport->get_write_buffer_size() != 0) return "bytes are left";
    fixture.hang_up(link.peer);
    return "";
  }

  NetLoop& fixture;
  NetLoop::Link link;
  int fd = -1;
  std::vector<std::shared_ptr<Recorder>> heard_by;
  std::string written;
  std::string arrived;
  std::size_t writes = 0;
};

struct Act {
  std::string name;
  std::function<void(Subject&)> act;
};

const std::vector<Act>& acts() {
  static const std::vector<Act> all = {
      {"nothing", [](Subject&) {}},
      {"pause_reading", [](Subject& s) { s.link.transport->pause_reading(); }},
      {"resume_reading", [](Subject& s) { s.link.transport->resume_reading(); }},
      {"write a little", [](Subject& s) { s.write(3); }},
      {"write to the mark", [](Subject& s) { s.write(20); }},
      {"write a lot", [](Subject& s) { s.write(40'000); }},
      {"writelines", [](Subject& s) { s.writelines({"one", "", "two"}); }},
      {"write_eof", [](Subject& s) { s.link.transport->write_eof(); }},
      {"close", [](Subject& s) { s.link.transport->close(); }},
      {"abort", [](Subject& s) { s.link.transport->abort(); }},
      {"set_gather", [](Subject& s) { s.link.transport->set_gather(false); }},
      {"set limits", [](Subject& s) { s.link.transport->set_write_buffer_limits(0); }},
      {"get_extra_info", [](Subject& s) { s.link.transport->get_extra_info("socket"); }},
      {"set_protocol",
       [](Subject& s) {
         const auto next = Recorder::successor(s.protocol());
         s.link.transport->set_protocol(next);
         if (s.link.transport->get_protocol() == next) s.heard_by.push_back(next);
       }},
      {"peer resets", [](Subject& s) { s.fixture.kernel.reset(s.link.peer); }},
      {"peer ends", [](Subject& s) { s.fixture.kernel.put_eof(s.link.peer); }},
      {"send fails", [](Subject& s) { s.fixture.kernel.script(Call::send, {.error = EPIPE}); }},
      {"throw", [](Subject&) { throw RuntimeError("thrown"); }},
      {"throw OSError", [](Subject&) { throw_os_error(EIO); }},
  };
  return all;
}

struct Callback {
  std::string name;
  std::function<void()> Recorder::* slot;
};

}  // namespace

TEST_SUITE_BEGIN("net/transport_matrix");

// libuv a7c44d674, libevent 3cc0eace, gh-156512 and many more: a callback that ends its own
// connection.
TEST_CASE_FIXTURE(NetLoop, "B45: whatever a callback does, its connection ends once, and cleanly") {
  const std::vector<Callback> callbacks = {
      {"connection_made", &Recorder::on_made},  {"data_received", &Recorder::on_data},
      {"eof_received", &Recorder::on_eof},      {"pause_writing", &Recorder::on_pause},
      {"resume_writing", &Recorder::on_resume}, {"connection_lost", &Recorder::on_lost},
  };
  int ran = 0;
  int wrong = 0;
  for (const Callback& callback : callbacks) {
    for (const Act& first : acts()) {
      for (const Act& second : acts()) {
        for (const bool keep_open : {false, true}) {
          Subject subject(*this);
          Recorder& protocol = *subject.link.protocol;
          protocol.keep_open = keep_open;
          bool done = false;  // Once: else resume_writing would write and be called for ever.
          protocol.*callback.slot = [&] {
            if (std::exchange(done, true)) return;
            ++ran;
            first.act(subject);
            second.act(subject);
          };
          subject.live_and_die();
          protocol.calm_down();
          kernel.clear(Call::send);
          take_reports();
          const std::string complaint = subject.complaint();
          if (complaint.empty()) continue;
          INFO(callback.name, ": ", first.name, ", ", second.name, ": ", complaint, ": ",
               protocol.trace);
          if (++wrong < 10) CHECK(complaint == "");
        }
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(ran > 4000);  // Every row reached its callback, but for those whose first act prevents it.
}

// cpython#136234, agronholm/anyio#1250: a method that nobody had thought of in that state.
TEST_CASE_FIXTURE(
    NetLoop,
    "B41: in every state, any two methods leave a connection that ends once, and cleanly") {
  const std::vector<Act> states = {
      {"not yet made", [](Subject&) {}},
      {"open", [](Subject& s) { s.fixture.run(); }},
      {"paused", [](Subject& s) { s.fixture.in_loop([&] { s.link.transport->pause_reading(); }); }},
      {"half-closed by the peer",
       [](Subject& s) {
         s.protocol().keep_open = true;
         s.fixture.kernel.put_eof(s.link.peer);
         s.fixture.run();
       }},
      {"waiting for room",
       [](Subject& s) {
         s.fixture.run();
         s.fixture.in_loop([&] { s.write(15); });
       }},
      {"paused writing",
       [](Subject& s) {
         s.fixture.run();
         s.fixture.in_loop([&] { s.write(50); });
       }},
      {"write_eof waiting",
       [](Subject& s) {
         s.fixture.run();
         s.fixture.in_loop([&] {
           s.write(15);
           s.link.transport->write_eof();
         });
       }},
      {"write_eof sent",
       [](Subject& s) {
         s.fixture.run();
         s.link.transport->write_eof();
       }},
      {"flushing",
       [](Subject& s) {
         s.fixture.run();
         s.fixture.in_loop([&] {
           s.write(50);
           s.link.transport->close();
         });
       }},
      {"closed, not yet lost", [](Subject& s) { s.link.transport->close(); }},
      {"lost",
       [](Subject& s) {
         s.link.transport->close();
         s.fixture.run();
       }},
      {"lost by an error",
       [](Subject& s) {
         s.fixture.kernel.reset(s.link.peer);
         s.fixture.run();
       }},
  };
  int wrong = 0;
  for (const Act& state : states) {
    for (const Act& first : acts()) {
      for (const Act& second : acts()) {
        Subject subject(*this);
        state.act(subject);
        loop.call_soon([&] {
          first.act(subject);
          second.act(subject);
        });
        subject.live_and_die();
        kernel.clear(Call::send);
        take_reports();
        const std::string complaint = subject.complaint();
        if (complaint.empty()) continue;
        INFO(state.name, ": ", first.name, ", ", second.name, ": ", complaint, ": ",
             subject.protocol().trace);
        if (++wrong < 10) CHECK(complaint == "");
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE_FIXTURE(NetLoop, "methods: after the end none of them makes a system call") {
  const Link link = this->link();
  link.transport->close();
  run();
  calls.reset();
  Transport& transport = *link.transport;
  transport.pause_reading();
  transport.resume_reading();
  for (int i = 0; i < 10; ++i) transport.write("x");
  transport.writelines({"x", "y"});
  transport.write_eof();
  transport.set_gather(false);
  transport.set_write_buffer_limits(0);
  transport.close();
  transport.abort();
  transport.set_protocol(link.protocol);
  transport.get_extra_info("socket");
  transport.get_extra_info("sockname");
  transport.get_extra_info("peername");
  CHECK(calls.total_system_calls() == 0);
}

TEST_SUITE_END();
