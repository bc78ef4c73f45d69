// SPDX-License-Identifier: MIT
#include <weir/streams/read_wait.hpp>

#include <string_view>
#include <utility>

#include <weir/reactor/run_note.hpp>
#include <weir/streams/reader_state.hpp>

namespace weir::detail {

std::string describe_progress(const ReadWait& wait) {
  const std::string_view function = wait.what().function;
  const std::size_t goal = wait.what().goal(*wait.read);
  const std::string bytes = std::to_string(wait.reader().buffered_bytes());
  if (function == "read") return goal == 0 ? "the end has not come" : "nothing has come";
  if (function == "readexactly" || function == "peek") {
    return bytes + " of " + std::to_string(goal) + " bytes";
  }
  if (goal == 0) return "no separator in " + bytes + " bytes";
  return "no separator in " + bytes + " of at most " + std::to_string(goal) + " bytes";
}

std::string describe_read(const ReadWait& wait) {
  if (wait.task->position != 0) return "its turn";
  std::string text = std::string(wait.what().function) + "()";
  if (const Transport* its = wait.reader().transport()) text += " of " + its->repr();
  return text + ": " + describe_progress(wait);
}

/// A read that looks again and goes on waiting resumes nothing: then it is the reader that waits.
void note_look(Runnable& runnable, RunNote& note) {
  auto& wait = ReadWait::of(static_cast<TaskBase&>(runnable));
  wait.task->note_step(note);
  note.looks = true;
  // One that has finished has taken something, and if the task waits here again, it is another.
  note.outcome = [&wait, had = wait.reader().buffered_bytes(),
                  reader = Ref<ReaderState>(&wait.reader()), task = wait.task,
                  of_task = std::move(note.outcome)]() -> RunOutcome {
    if (task->parked() != &wait || reader->buffered_bytes() != had) return of_task();
    return {describe_progress(wait) + "; the reader keeps waiting", true};
  };
}

}  // namespace weir::detail
