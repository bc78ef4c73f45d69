// SPDX-License-Identifier: MIT
#include <weir/reactor/handle.hpp>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/no_alloc.hpp>
#include <weir/reactor/report.hpp>
#include <weir/reactor/run_note.hpp>
#include <weir/reactor/trace/tracer.hpp>

namespace weir::detail {
namespace {

std::string describe_handle(const Runnable& runnable) {
  const auto& node = static_cast<const HandleNode&>(static_cast<const Timer&>(runnable));
  return std::string("<Handle ") + node.made_at.file_name() + ":" +
         std::to_string(node.made_at.line()) + (node.cancelled ? " cancelled>" : ">");
}

/// What the callback throws goes to the loop's handler; Ctrl-C alone goes through, out of
/// run_forever().
[[gnu::cold]] void report_thrown(HandleNode& node, EventLoop& loop) {
  loop.report("Exception in callback", std::current_exception(), [&](ExceptionContext context) {
    const std::string text = describe_handle(node);
    context.message += " " + text;
    return std::move(context).with("handle", text);
  });
}

inline void call_reporting(HandleNode& node, EventLoop& loop) {
  try {
    node.callback();
  } catch (const KeyboardInterrupt&) {
    throw;
  } catch (...) {
    report_thrown(node, loop);
  }
}

void note_handle(Runnable& runnable, RunNote& note) {
  const HandleNode& node = HandleNode::of(runnable);
  note.stack.push_back(node.made_at);
  if (node.when != TimePoint()) note.due = node.when;
}

void run_once_handle(Runnable& runnable) {
  HandleNode& node = HandleNode::of(runnable);
  EventLoop& loop = *std::exchange(node.loop, nullptr);
  // The callback's own state dies first, then the queue's reference, whatever it throws.
  struct Finish {
    HandleNode& node;
    ~Finish() {
      if (node.references() > 1) node.callback.reset();
      node.release();
    }
  } finish{node};
  call_reporting(node, loop);
}

/// The loop closes: the callback will not run, and its handles must not ask the loop.
void drop_once_handle(Runnable& runnable) {
  HandleNode& node = HandleNode::of(runnable);
  node.loop = nullptr;
  node.callback.reset();
  node.release();
}

void run_watching_handle(Runnable& runnable) {
  HandleNode& node = HandleNode::of(runnable);
  const Ref<HandleNode> keep(&node);  // remove_reader() in the callback must not destroy it yet.
  if (node.loop != nullptr) call_reporting(node, *node.loop);
}

}  // namespace

constinit const RunnableKind once_handle = {run_once_handle, describe_handle, drop_once_handle,
                                            note_handle};
constinit const RunnableKind watching_handle = {run_watching_handle, describe_handle, nullptr,
                                                note_handle};

void throw_not_callable(const char* function) {
  throw ValueError(std::string("a callable object was expected by ") + function + ", got None");
}

void HandleNode::cancel() noexcept {
  cancelled = true;
  if (loop == nullptr) return;
  const NoAllocScope cancelling;
  EventLoop& its_loop = *std::exchange(loop, nullptr);
  if (Tracer* tracer = its_loop.tracer()) tracer->cancelled(*this, made_at);
  bool scheduled = true;
  if (armed()) {
    its_loop.timers().remove(*this);
  } else if (position != 0) {
    its_loop.ready().remove(*this);
  } else {
    scheduled = false;
  }
  // A watching one may be the one that runs; whoever cancelled it lets go of it.
  if (kind == &watching_handle) return;
  // The loop's reference goes last: the callable's destructor may let go of the user's.
  const Ref<HandleNode> keep(scheduled ? nullptr : this);
  {
    const MayAllocScope users;  // Destructors.
    callback.reset();
  }
  if (scheduled) release();
}

}  // namespace weir::detail
