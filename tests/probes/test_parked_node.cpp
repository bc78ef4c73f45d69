// SPDX-License-Identifier: MIT
//
// A task is parked on a node that lives in the awaiter, in the coroutine's frame. Cancelling goes
// to that node at once, through any depth of coroutines, and the task unlinks it, not a destructor:
// so awaiters stay trivially destructible, which g++ 12 needs (test_arguments.cpp).

#include <doctest/doctest.h>

#include <coroutine>
#include <deque>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace {

struct Cancelled {};  // Derives from nothing: `catch (const std::exception&)` lets it pass.

int frames_alive = 0;
int cancel_steps = 0;

struct Task;
Task* current_task = nullptr;
std::deque<std::function<void()>> ready;

void run_ready() {
  while (!ready.empty()) {
    const std::function<void()> callback = std::move(ready.front());
    ready.pop_front();
    callback();
  }
}

/// What a task can be parked on.
struct Node {
  Task* task = nullptr;
  std::coroutine_handle<> waiter;
  void (*unlink)(Node&) = nullptr;
};

struct Task {
  std::coroutine_handle<> next;
  Node* parked_on = nullptr;
  bool must_cancel = false;

  void step() {
    Task* const outer = std::exchange(current_task, this);
    while (next) std::exchange(next, {}).resume();
    current_task = outer;
  }
  void cancel() {
    must_cancel = true;
    Node* const node = std::exchange(parked_on, nullptr);
    if (node == nullptr) return;
    ++cancel_steps;
    node->unlink(*node);
    next = node->waiter;
    ready.emplace_back([this] { step(); });
  }
};

template <class T>
class Coro {
 public:
  struct promise_type {
    struct Finish {
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<promise_type> child) const noexcept {
        current_task->next = child.promise().parent;
      }
      void await_resume() const noexcept {}
    };
    promise_type() { ++frames_alive; }
    ~promise_type() { --frames_alive; }
    Coro get_return_object() {
      return Coro(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    Finish final_suspend() noexcept { return {}; }
    void return_value(T result) { value.emplace(std::move(result)); }
    void unhandled_exception() { error = std::current_exception(); }

    std::coroutine_handle<> parent;
    std::exception_ptr error;
    std::optional<T> value;
  };
  using Handle = std::coroutine_handle<promise_type>;

  Coro(Coro&& other) noexcept : handle(std::exchange(other.handle, {})) {}
  Coro& operator=(Coro&&) = delete;
  ~Coro() {
    if (handle) handle.destroy();
  }

  class Awaiter {
   public:
    explicit Awaiter(Handle child) : child_(child) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> parent) const {
      child_.promise().parent = parent;
      current_task->next = child_;
    }
    T await_resume() const {
      promise_type& promise = child_.promise();
      if (promise.error) std::rethrow_exception(promise.error);
      return std::move(*promise.value);
    }

   private:
    Handle child_;
  };
  Awaiter operator co_await() && { return Awaiter(handle); }

  Handle handle;

 private:
  explicit Coro(Handle of) : handle(of) {}
};

/// Lines out of a buffer, one waiter at a time.
struct Reader {
  std::string buffer;
  Node* waiter = nullptr;

  bool has_line() const { return buffer.find('\n') != std::string::npos; }
  void feed(std::string_view data) {
    buffer.append(data);
    if (waiter == nullptr) return;
    ready.emplace_back([this, node = waiter] {
      if (waiter != node || !has_line()) return;  // Cancelled since, or a line is not yet whole.
      waiter = nullptr;
      node->task->parked_on = nullptr;
      node->task->next = node->waiter;
      node->task->step();
    });
  }
};

struct ReadLine : Node {
  explicit ReadLine(Reader& of) : reader(&of) {}

  bool await_ready() const { return reader->has_line(); }
  void await_suspend(std::coroutine_handle<> handle) {
    waiter = handle;
    task = current_task;
    task->parked_on = this;
    reader->waiter = this;
    unlink = [](Node& node) { static_cast<ReadLine&>(node).reader->waiter = nullptr; };
  }
  std::string await_resume() const {
    if (std::exchange(current_task->must_cancel, false)) throw Cancelled();
    const std::size_t end = reader->buffer.find('\n') + 1;
    const std::string line = reader->buffer.substr(0, end);
    reader->buffer.erase(0, end);
    return line;
  }

  Reader* reader;
};
static_assert(std::is_trivially_destructible_v<ReadLine>);

Coro<std::string> read(Reader& reader, int depth) {
  if (depth > 0) {
    try {
      co_return co_await read(reader, depth - 1);
    } catch (const std::exception&) {
      co_return "swallowed";
    }
  }
  std::string line = co_await ReadLine(reader);
  co_return line;
}

Coro<std::string> read_or_say(Reader& reader, int depth) {
  std::string line;
  try {
    line = co_await read(reader, depth);
  } catch (const Cancelled&) {
    line = "cancelled";
  }
  co_return line;
}

}  // namespace

TEST_SUITE("probes/parked_node") {
  TEST_CASE("parked node: a line that comes in pieces resumes the reader once, when whole") {
    Reader reader;
    Task task;
    const Coro<std::string> coro = read_or_say(reader, 3);
    task.next = coro.handle;
    task.step();
    reader.feed("par");
    run_ready();
    CHECK_FALSE(coro.handle.promise().value.has_value());
    reader.feed("tial\nrest");
    run_ready();
    CHECK(coro.handle.promise().value == "partial\n");
    CHECK(reader.buffer == "rest");
  }

  TEST_CASE("parked node: cancelling goes to the leaf in one step, through any depth") {
    for (const int depth : {0, 1, 1000}) {
      Reader reader;
      Task task;
      const Coro<std::string> coro = read_or_say(reader, depth);
      task.next = coro.handle;
      task.step();
      reader.feed("partial");
      run_ready();
      cancel_steps = 0;
      task.cancel();
      CHECK(cancel_steps == 1);
      CHECK(reader.waiter == nullptr);
      run_ready();
      CHECK(coro.handle.promise().value == "cancelled");
      CHECK(reader.buffer == "partial");
    }
  }

  TEST_CASE("parked node: a wake-up that was under way when the task was cancelled is dropped") {
    Reader reader;
    Task task;
    const Coro<std::string> coro = read_or_say(reader, 2);
    task.next = coro.handle;
    task.step();
    reader.feed("line\n");
    task.cancel();
    run_ready();
    CHECK(coro.handle.promise().value == "cancelled");
    CHECK(reader.buffer == "line\n");
  }

  TEST_CASE("parked node: a coroutine destroyed while parked leaves nothing behind") {
    const int frames_before = frames_alive;
    Reader reader;
    {
      Task task;
      const Coro<std::string> coro = read_or_say(reader, 3);
      task.next = coro.handle;
      task.step();
      CHECK(frames_alive == frames_before + 5);
      task.parked_on->unlink(*task.parked_on);
    }
    CHECK(frames_alive == frames_before);
    reader.feed("line\n");
    run_ready();
    CHECK(reader.buffer == "line\n");
  }
}
