// SPDX-License-Identifier: MIT
#include <weir/reactor/trace/session.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <weir/reactor/log.hpp>
#include <weir/reactor/trace.hpp>
#include <weir/reactor/trace/json.hpp>

namespace weir::detail {
namespace {

void say(std::string_view line) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

/// The loops that WEIR_TRACE traces.
class Session {
 public:
  explicit Session(std::string wish) : wish_(std::move(wish)) {}

  Kernel& trace(Kernel& kernel) {
    const std::scoped_lock lock(mutex_);
    Traced& traced = traced_.emplace_back(kernel);
    if (wish_ == "explain") traced.trace.explain_to(say);
    traced.trace.tracer().when_finished([this, &traced] { finished(traced); });
    return traced.trace.kernel();
  }

 private:
  struct Traced {
    explicit Traced(Kernel& kernel) : trace(kernel) {}
    Trace trace;
    bool finished = false;
  };

  /// The file has all loops that are closed, so that whatever ends last, it is complete.
  void finished(Traced& traced) {
    const std::scoped_lock lock(mutex_);
    traced.finished = true;
    if (wish_ == "explain") return traced.trace.flush();
    std::vector<const TraceRing*> rings;
    for (const Traced& its : traced_) {
      if (its.finished) rings.push_back(&its.trace.records());
    }
    write(trace_json(rings));
  }

  void write(const std::string& json) const {
    std::FILE* file = std::fopen(wish_.c_str(), "w");
    const bool written =
        file != nullptr && std::fwrite(json.data(), 1, json.size(), file) == json.size();
    const int error = errno;
    if (file != nullptr) std::fclose(file);
    if (written) return;
    log_to_stderr(LogLevel::error, "WEIR_TRACE: cannot write " + wish_ + ": " +
                                       std::generic_category().message(error));
  }

  const std::string wish_;
  std::mutex mutex_;
  std::list<Traced> traced_;
};

}  // namespace

Kernel& traced_as_wished(Kernel& kernel) {
  const char* wish = std::getenv("WEIR_TRACE");
  if (wish == nullptr || *wish == '\0' || kernel.tracer() != nullptr) return kernel;
  static Session& session = *new Session(wish);  // Never destroyed: loops may outlive main().
  return session.trace(kernel);
}

}  // namespace weir::detail
