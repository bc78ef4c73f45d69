// SPDX-License-Identifier: MIT
#include <tests/sim/stream_side.hpp>

#include <cerrno>
#include <exception>
#include <string>

#include <weir/reactor/error.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/timeouts.hpp>
#include <weir/streams/errors.hpp>

#include <tests/sim/world.hpp>

namespace weir::sim {
namespace {

/// What a read has brought; empty is the end, unless nothing was asked for.
void take(End& end, const std::string& bytes, bool may_be_empty) {
  end.waiting.reset();
  end.consumed(bytes);
  if (bytes.empty() && !may_be_empty) end.stream_ended();
}

Coro<> perform_read(End* end, const Step* step, StreamReader reader) {
  const auto amount = static_cast<std::ptrdiff_t>(step->amount);
  end->waiting = *step;
  switch (step->what) {
    case Do::read: {
      const std::string bytes = co_await reader.read(amount);
      if (bytes.size() > step->amount)
        end->world().complain(end->name() + ": read() gave too much");
      take(*end, bytes, amount == 0);
      break;
    }
    case Do::readexactly: {
      const std::string bytes = co_await reader.readexactly(amount);
      if (bytes.size() != step->amount)
        end->world().complain(end->name() + ": readexactly() gave another number of bytes");
      take(*end, bytes, amount == 0);
      break;
    }
    case Do::readuntil: {
      const std::string bytes = co_await reader.readuntil("\n");
      if (bytes.find('\n') != bytes.size() - 1 || bytes.size() > end->limit() + 1)
        end->world().complain(end->name() + ": readuntil() gave no record");
      take(*end, bytes, false);
      break;
    }
    case Do::readline: {
      const std::string bytes = co_await reader.readline();
      take(*end, bytes, false);
      if (!bytes.empty() && !bytes.ends_with('\n')) end->stream_ended();
      break;
    }
    case Do::read_all: {
      const std::string bytes = co_await reader.read(-1);
      take(*end, bytes, true);
      end->stream_ended();
      break;
    }
    default: break;
  }
  end->waiting.reset();
}

Coro<> perform_step(End* end, const Step* step, StreamReader reader, StreamWriter writer) {
  Transport& transport = *writer.transport();
  switch (step->what) {
    case Do::write: end->write(transport, step->amount, false); break;
    case Do::writelines: end->write(transport, step->amount, true); break;
    case Do::write_eof: end->write_eof(transport); break;
    case Do::close:
      end->note_close();
      writer.close();
      break;
    case Do::abort:
      end->note_abort();
      transport.abort();
      break;
    case Do::raise: throw Planted();
    case Do::sleep: {
      const TimePoint due = end->world().kernel.now() + step->time;
      co_await sleep(step->time);
      if (end->world().kernel.now() < due) end->world().complain(end->name() + ": woken early");
      break;
    }
    case Do::drain:
      end->waiting = *step;
      co_await writer.drain();
      end->waiting.reset();
      break;
    case Do::wait_closed: {
      end->note_close();
      writer.close();
      const std::exception_ptr error = co_await writer.wait_closed_error();
      if (error && !end->explains(error))
        end->world().complain(end->name() + ": wait_closed: " + describe(error));
      break;
    }
    case Do::close_within: {
      end->note_close();
      const bool aborted = end->aborted();
      end->note_abort();  // Perhaps, and even if this is cancelled: the deadline stands.
      const bool all_sent = co_await writer.close_within(step->time);
      end->note_abort(aborted || !all_sent);
      break;
    }
    default: co_await perform_read(end, step, reader); break;
  }
}

/// What becomes of a step that has failed: goes on, ends quietly (false), or throws.
bool go_on_after(End& end, const Step& step, const std::exception_ptr& error) {
  World& world = end.world();
  end.waiting.reset();
  try {
    std::rethrow_exception(error);
  } catch (const Planted&) {
    world.note_raise();
    throw;
  } catch (const CancelledError&) {
    throw;
  } catch (const IncompleteReadError& incomplete) {
    world.mark(Mark::incomplete);
    end.consumed(incomplete.partial);
    end.stream_ended();
    return true;
  } catch (const LimitOverrunError&) {
    world.mark(Mark::overrun);
    end.consumed({});
    return true;
  } catch (const ValueError&) {  // readline(): thrown away.
    if (step.what != Do::readline) world.complain(end.name() + ": " + describe(error));
    world.mark(Mark::line_too_long);
    end.resynchronise();
    return true;
  } catch (const TimeoutError& timeout) {
    if (timeout.code().value() == 0) {
      if (step.time == Duration::zero())
        world.complain(end.name() + ": a time-out nobody asked for");
      world.mark(Mark::timed_out);
      end.consumed({});
      return true;
    }
  } catch (const OSError&) {  // Below.
  } catch (...) {
    world.complain(end.name() + ": " + to_string(step.what) + ": " + describe(error));
    return false;
  }
  if (!end.explains(error))
    world.complain(end.name() + ": " + to_string(step.what) + ": " + describe(error) +
                   ", which the kernel has not said");
  return false;
}

/// However the coroutine ends, it lets go of its writer then, and that closes.
class Leaving {
 public:
  explicit Leaving(End& end) noexcept : end_(end) {}
  Leaving(const Leaving&) = delete;
  Leaving& operator=(const Leaving&) = delete;
  ~Leaving() {
    end_.waiting.reset();
    end_.note_close();
  }

 private:
  End& end_;
};

}  // namespace

Coro<> stream_side(End* end, StreamReader reader, StreamWriter writer) {
  const World::Alive alive(end->world());
  const Leaving leaving(*end);
  end->adopt_stream(reader, writer.transport());
  if (!end->connected()) co_return;
  for (const Step& step : end->side().steps) {
    const bool own_time =
        step.what == Do::sleep || step.what == Do::close_within || step.time == Duration::zero();
    Coro<> performing = perform_step(end, &step, reader, writer);
    Outcome<> outcome_of_step;
    if (own_time) {
      outcome_of_step = co_await outcome(std::move(performing));
    } else {
      outcome_of_step = co_await outcome(wait_for(std::move(performing), Delay(step.time)));
    }
    if (!outcome_of_step.exception()) continue;
    const bool goes_on = go_on_after(*end, step, outcome_of_step.exception());
    if (!goes_on) break;
  }
}

}  // namespace weir::sim
