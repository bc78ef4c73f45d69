// SPDX-License-Identifier: MIT
#include <weir/net/serving_thread.hpp>

#include <utility>

#include <weir/reactor/task/outcome.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/runner.hpp>
#include <weir/reactor/task/timeouts.hpp>

namespace weir::detail {
namespace {

constexpr int no_backlog = 0;  // It accepts nothing itself.

/// Until `stop` is done; then waits for the clients to end, and aborts those that do not.
Coro<> serve(Future<> stop, std::shared_ptr<ServerState> clients, Duration grace) {
  // What the end needs is made before the beginning.
  Coro<> all_gone = wait_until_finished(clients);
  auto gone_in_time = outcome(wait_for(wait_until_finished(clients), Delay(grace)));
  co_await stop;
  clients->close();
  const Outcome<> in_time = co_await std::move(gone_in_time);
  clients->close_clients(true);
  co_await std::move(all_gone);
}

}  // namespace

ServingThread::ServingThread(Kernel& kernel, ProtocolFactory factory, Duration grace, Letter ended)
    : loop_(kernel),
      clients_(std::make_shared<ServerState>(loop_, std::move(factory), no_backlog)),
      stopped_(loop_.create_future<void>()),
      main_(serve(stopped_, clients_, grace)),
      stop_(loop_,
            [this] {
              if (!stopped_.done()) stopped_.set_result();
            }),
      ended_(std::move(ended)) {
  try {
    thread_ = kernel.make_executor(1);
    thread_->submit([this] { work(); });
  } catch (...) {
    loop_.close();  // Else its destructor would complain.
    throw;
  }
  begun_.wait();  // An executor that is shut down drops what has not.
}

ServingThread::~ServingThread() {
  stop();
  join();
}

void ServingThread::hand(Socket socket, Endpoint peer) {
  loop_.call_soon_threadsafe(
      [its = clients_.get(), socket = std::move(socket), peer = std::move(peer)]() mutable {
        its->adopt(std::move(socket), std::move(peer));
      });
}

void ServingThread::stop() noexcept {
  if (stop_.is_unsent()) static_cast<void>(stop_.send());  // Refused: it has ended by itself.
}

std::exception_ptr ServingThread::join() noexcept {
  thread_->shutdown(true);
  return failure_;
}

void ServingThread::work() noexcept {
  begun_.count_down();
  try {
    loop_.run_until_complete(std::move(main_));
  } catch (...) {
    failure_ = std::current_exception();
  }
  try {
    shut_down(loop_);
  } catch (...) {
    if (!failure_) failure_ = std::current_exception();
  }
  static_cast<void>(ended_.send());
}

}  // namespace weir::detail
