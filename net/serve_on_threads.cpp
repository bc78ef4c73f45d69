// SPDX-License-Identifier: MIT
#include <weir/net/serve_on_threads.hpp>

#include <signal.h>

#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <weir/net/server_state.hpp>
#include <weir/net/serving_thread.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/letter.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/runner.hpp>

namespace weir::detail {
namespace {

/// All the threads.
class Crew {
 public:
  Crew() = default;
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() { stop(); }

  void add(std::unique_ptr<ServingThread> thread) { threads_.push_back(std::move(thread)); }
  /// To the next one in turn.
  void hand(Socket socket, Endpoint peer) {
    ServingThread& chosen = *threads_[next_];
    next_ = (next_ + 1) % threads_.size();
    chosen.hand(std::move(socket), std::move(peer));
  }
  /// Returns when all have ended: what ended one of them, or null.
  std::exception_ptr stop() noexcept {
    for (const auto& thread : threads_) thread->stop();  // All have the same time to end.
    std::exception_ptr failure;
    for (const auto& thread : threads_) {
      const std::exception_ptr its = thread->join();
      if (!failure) failure = its;
    }
    return failure;
  }

 private:
  std::vector<std::unique_ptr<ServingThread>> threads_;
  std::size_t next_ = 0;
};

/// Closes the server, whatever ends the scope: nothing is handed over after that.
class Accepting {
 public:
  explicit Accepting(Server server) noexcept : server_(std::move(server)) {}
  Accepting(const Accepting&) = delete;
  Accepting& operator=(const Accepting&) = delete;
  ~Accepting() { server_.close(); }
  const Server& server() const noexcept { return server_; }

 private:
  Server server_;
};

/// Ends the wait of the calling thread's loop.
void set(const Future<>& stop) {
  if (!stop.done()) stop.set_result();
}

/// The first SIGTERM stops, the second one kills. SIGINT is run()'s.
void stop_on_sigterm(EventLoop& loop, const Future<>& stop) {
  if (!has_default_action(loop.kernel(), SIGTERM)) return;
  try {
    loop.add_signal_handler(SIGTERM, [&loop, stop] {
      set(stop);
      loop.remove_signal_handler(SIGTERM);
    });
  } catch (const RuntimeError&) {  // Another thread's loop has it.
  }
}

/// Not the kernel of a loop: WEIR_TRACE may stand before that, once for each loop.
Kernel& kernel_of(const ThreadsPlan& plan) {
  return plan.options.kernel != nullptr ? *plan.options.kernel : Kernel::posix();
}

Coro<int> serve_until_stopped(ThreadsPlan plan) {
  EventLoop& loop = get_running_loop();
  Crew crew;
  Coro<Server> binding = plan.new_server(plan.new_factory());
  const Accepting accepting(co_await std::move(binding));
  const Future<> stop = loop.create_future<void>();
  auto stopped = outcome(stop);
  for (std::size_t i = 0; i < plan.threads; ++i) {
    crew.add(std::make_unique<ServingThread>(kernel_of(plan), plan.new_factory(),
                                             plan.options.grace,
                                             Letter(loop, [stop] { set(stop); })));
  }
  accepting.server().state()->hand_over_to(
      [&crew](Socket socket, Endpoint peer) { crew.hand(std::move(socket), std::move(peer)); });
  const std::stop_token token =
      plan.options.stop != nullptr ? plan.options.stop->get_token() : std::stop_token();
  const std::stop_callback on_request(
      token, [letter = Letter(loop, [stop] { set(stop); })]() mutable noexcept {
        static_cast<void>(letter.send());
      });
  stop_on_sigterm(loop, stop);
  co_await start_and_yield(accepting.server().state());
  if (plan.options.listening) plan.options.listening(accepting.server());
  const Outcome<> ended = co_await std::move(stopped);
  accepting.server().close();
  if (const std::exception_ptr failure = crew.stop()) std::rethrow_exception(failure);
  ended.value();  // SIGINT has cancelled us.
  co_return 0;
}

}  // namespace

int serve_on_threads(ThreadsPlan plan) {
  if (plan.threads == 0) throw ValueError("at least 1 thread is needed, not 0");
  Kernel& kernel = kernel_of(plan);
  if (kernel.tracer() != nullptr) throw ValueError("a Trace is of one loop: set WEIR_TRACE");
  return run(serve_until_stopped(std::move(plan)), kernel);
}

}  // namespace weir::detail
