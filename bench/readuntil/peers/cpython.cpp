// SPDX-License-Identifier: MIT
//
// CPython's asyncio.StreamReader: a process that does as it is told over two pipes, and measures
// itself. cpython_reader.py is the other end.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bench/readuntil/sides.hpp>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace weir::bench {
namespace {

/// A child process, a line to it, a line from it.
class Child {
 public:
  Child(const std::string& python, const std::string& script) {
    int to[2];
    int from[2];
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
      throw std::runtime_error("no pipe for CPython");
    pid_ = fork();
    if (pid_ == 0) {
      dup2(to[0], STDIN_FILENO);
      dup2(from[1], STDOUT_FILENO);
      execlp(python.c_str(), python.c_str(), script.c_str(), static_cast<char*>(nullptr));
      _exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    to_ = fdopen(to[1], "w");
    from_ = fdopen(from[0], "r");
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    std::fclose(to_);
    std::fclose(from_);
    waitpid(pid_, nullptr, 0);
  }

  /// Empty: it is gone.
  std::string ask(const std::string& question) {
    std::fputs((question + "\n").c_str(), to_);
    std::fflush(to_);
    std::string answer;
    for (int byte = std::fgetc(from_); byte != EOF && byte != '\n'; byte = std::fgetc(from_))
      answer += static_cast<char>(byte);
    return answer;
  }

 private:
  pid_t pid_ = -1;
  FILE* to_ = nullptr;
  FILE* from_ = nullptr;
};

/// The number behind "key": in a flat object of JSON.
std::uint64_t number(const std::string& json, const std::string& key) {
  const std::size_t at = json.find("\"" + key + "\": ");
  if (at == std::string::npos) throw std::runtime_error("CPython has answered: " + json);
  return std::strtoull(json.c_str() + at + key.size() + 4, nullptr, 10);
}

/// Every byte as \u00XX: the separators are bytes, not text.
std::string quoted(std::string_view bytes) {
  std::string text = "\"";
  for (const char byte : bytes) {
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned char>(byte));
    text += escape;
  }
  return text + "\"";
}

class CPython final : public Contestant {
 public:
  CPython(std::string name, std::string way, std::unique_ptr<Child> child)
      : Contestant(std::move(name)), way_(std::move(way)), child_(std::move(child)) {}

  bool can(const Workload& workload) const override { return !workload.is_set(); }
  void open(const Workload& workload) override {
    char path[] = "/tmp/weir-bench-XXXXXX";
    const int fd = mkstemp(path);
    FILE* const file = fd >= 0 ? fdopen(fd, "w") : nullptr;
    if (file == nullptr) throw std::runtime_error("no file for CPython");
    std::fwrite(workload.bytes.data(), 1, workload.bytes.size(), file);
    std::fclose(file);
    std::string command = "{\"open\": \"" + std::string(path) + "\", \"way\": \"" + way_ +
                          "\", \"limit\": " + std::to_string(workload.limit) +
                          ", \"separators\": [";
    for (const std::string& separator : workload.separators)
      command += (command.back() == '[' ? "" : ", ") + quoted(separator);
    command += "], \"chunks\": [";
    for (const std::string_view chunk : workload.chunks)
      command += (command.back() == '[' ? "" : ", ") + std::to_string(chunk.size());
    child_->ask(command + "]}");
    unlink(path);
  }
  Seen pass(const Workload&) override { return ask("time"); }
  Seen check(const Workload&) override { return ask("check"); }
  std::uint64_t own_ns() const override { return own_ns_; }

 private:
  Seen ask(const std::string& what) {
    const std::string answer = child_->ask("{\"pass\": \"" + what + "\"}");
    own_ns_ = number(answer, "ns");
    return {number(answer, "records"), number(answer, "bytes"), number(answer, "hash")};
  }

  std::string way_;
  std::unique_ptr<Child> child_;
  std::uint64_t own_ns_ = 0;
};

}  // namespace

Side cpython_side(const std::string& python, const std::string& script, const std::string& way,
                  const std::string& what) {
  auto child = std::make_unique<Child>(python, script);
  const std::string answer =
      child->ask(R"({"open": "/dev/null", "separators": ["\n"], "chunks": [], "limit": 0, )"
                 R"("way": "readuntil"})");
  const std::size_t begin = answer.find(": \"");
  const std::size_t end = answer.rfind('"');
  if (begin == std::string::npos || end <= begin) return nullptr;
  const std::string version = answer.substr(begin + 3, end - begin - 3);
  return std::make_unique<CPython>("asyncio " + version + what, way, std::move(child));
}

}  // namespace weir::bench
