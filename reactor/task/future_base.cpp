// SPDX-License-Identifier: MIT
#include <weir/reactor/task/future_base.hpp>

#include <new>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/no_alloc.hpp>
#include <weir/reactor/place.hpp>
#include <weir/reactor/report.hpp>

namespace weir::detail {

void FutureBase::destroy() noexcept {
  if (exception_unseen) report_unseen();
  while (FutureWaiter* waiter = waiters.pop_front()) {
    if (waiter->kind->drop != nullptr) waiter->kind->drop(*waiter);
  }
  kind->destroy(*this);
}

void FutureBase::report_unseen() {
  const auto tell = [this](ExceptionContext context) -> ExceptionContext {
    context.message = kind->name + (" " + context.message);
    context.extra.emplace_back("future", describe());
    const std::source_location place =
        kind->last_await != nullptr ? kind->last_await(*this) : std::source_location();
    if (place.line() == 0) return context;
    return std::move(context).with("last await", describe_place(place));
  };
  const char* const message = "exception was never retrieved";
  if (token->loop != nullptr) return token->loop->report(message, error, tell);
  try {
    log_to_stderr(LogLevel::error, to_string(tell(ExceptionContext(message, error))));
  } catch (const std::bad_alloc&) {
    log_to_stderr(LogLevel::error, message);
  }
}

void FutureBase::add_waiter(FutureWaiter& waiter) {
  if (!done()) return waiters.push_back(waiter);
  loop().check_closed();
  queue(waiter);
}

void FutureBase::settle(Status final_status) {
  status = final_status;
  if (kind->settled != nullptr) kind->settled(*this);
  if (waiters.empty()) return;
  loop().check_closed();
  while (FutureWaiter* waiter = waiters.pop_front()) queue(*waiter);
}

void FutureBase::queue(FutureWaiter& waiter) noexcept {
  token->loop->ready().push(waiter);
  waiter.future = Ref<FutureBase>(this);
}

void FutureBase::settle_exception(std::exception_ptr its_error) {
  error = std::move(its_error);
  exception_unseen = !silenced;
  settle(Status::finished);
}

bool FutureBase::settle_cancelled(const std::string& message) {
  exception_unseen = false;  // cancel() on a failed future silences it, as in asyncio.
  if (done()) return false;
  texts.set_cancel_message(message);
  settle(Status::cancelled);
  return true;
}

void FutureBase::check_result() {
  if (status == Status::pending) throw InvalidStateError("Result is not set.");
  if (status == Status::cancelled) throw_cancelled(texts.cancel_message());
  exception_unseen = false;
  if (error) std::rethrow_exception(error);
}

std::exception_ptr FutureBase::fetch_exception() {
  if (status == Status::pending) throw InvalidStateError("Exception is not set.");
  if (status == Status::cancelled) throw_cancelled(texts.cancel_message());
  exception_unseen = false;
  return error;
}

void FutureBase::require_pending() const {
  if (done()) throw InvalidStateError("invalid state");
}

EventLoop& FutureBase::loop() const {
  if (token->loop == nullptr) throw RuntimeError("Event loop is closed");
  return *token->loop;
}

std::string FutureBase::describe() const {
  std::string text = std::string("<") + kind->name;
  switch (status) {
    case Status::pending:
      text += kind->cancelling != nullptr && kind->cancelling(*this) ? " cancelling" : " pending";
      break;
    case Status::cancelled: text += " cancelled"; break;
    case Status::finished: text += " finished"; break;
  }
  if (kind->attributes != nullptr) text += kind->attributes(*this);
  if (error) text += " exception=" + weir::describe(error);
  return text + ">";
}

bool cancel_plain_future(FutureBase& future, const std::string& message) {
  const NoAllocScope cancelling;
  return future.settle_cancelled(message);
}

}  // namespace weir::detail
