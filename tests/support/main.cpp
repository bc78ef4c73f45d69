// SPDX-License-Identifier: MIT
//
// The main function of every test program. It runs doctest, and holds the cases to three rules that
// doctest has not: each asserts something, each has a name of its own, each is counted once.

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace {

using doctest::CurrentTestCaseStats;
using doctest::TestCaseData;

/// What the run found; the listener writes it, main() reads it.
struct Tally {
  std::FILE* summary = nullptr;           // --weir-summary=FILE, or null
  std::set<std::string> passed;           // "file:line" of each case: the instances of a template
  std::set<std::string> failed;           // count as one
  std::map<std::string, std::string> at;  // "suite: name" -> "file:line"
};

Tally& tally() {
  static Tally the_tally;
  return the_tally;
}

std::string place_of(const TestCaseData& test) {
  return std::string(test.m_file.c_str()) + ":" + std::to_string(test.m_line);
}

/// Hears of every case and writes one line each, at once: `./dev test` adds up what a crash leaves.
///
///   begin  <tab> file:line <tab> suite: name      before the case runs
///   passed <tab> file:line <tab> suite: name      or `failed`, when it has ended
///   end                                           when all have ended, none by a crash
class Listener : public doctest::IReporter {
 public:
  explicit Listener(const doctest::ContextOptions& options) : out_(options.cout) {}

  void test_case_start(const TestCaseData& test) override {
    current_ = &test;
    write("begin");
  }

  void test_case_end(const CurrentTestCaseStats& stats) override {
    if (!in_test_process()) return;
    const std::string complaint = complaint_about(stats);
    if (!complaint.empty()) {
      *out_ << place_of(*current_) << ": " << name() << ": " << complaint << std::endl;
    }
    const bool passed = stats.testCaseSuccess && complaint.empty();
    (passed ? tally().passed : tally().failed).insert(place_of(*current_));
    write(passed ? "passed" : "failed");
  }

  void test_case_exception(const doctest::TestCaseException& error) override {
    crashed_ = crashed_ || error.is_crash;
  }

  void test_run_end(const doctest::TestRunStats&) override {
    current_ = nullptr;
    if (!crashed_) write("end");
  }

  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_case_reenter(const TestCaseData&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const TestCaseData&) override {}

 private:
  /// A child that a test forked reports to its parent, not here.
  bool in_test_process() const { return getpid() == process_; }

  std::string name() const { return std::string(current_->m_test_suite) + ": " + current_->m_name; }

  std::string complaint_about(const CurrentTestCaseStats& stats) const {
    const auto [first, added] = tally().at.emplace(name(), place_of(*current_));
    if (first->second != place_of(*current_)) return "the name is taken by " + first->second;
    if (stats.numAssertsCurrentTest == 0 && stats.testCaseSuccess) return "asserts nothing";
    return {};
  }

  void write(const char* what) const {
    std::FILE* const file = tally().summary;
    if (file == nullptr || !in_test_process()) return;
    std::fputs(what, file);
    if (current_ != nullptr) {
      std::fprintf(file, "\t%s\t%s", place_of(*current_).c_str(), name().c_str());
    }
    std::fputc('\n', file);
    std::fflush(file);
  }

  std::ostream* out_;
  pid_t process_ = getpid();
  const TestCaseData* current_ = nullptr;
  bool crashed_ = false;
};

REGISTER_LISTENER("weir", 1, Listener);

}  // namespace

int main(int argc, char** argv) {
  constexpr std::string_view option = "--weir-summary=";
  for (int i = 1; i < argc; ++i) {
    if (!std::string_view(argv[i]).starts_with(option)) continue;
    tally().summary = std::fopen(argv[i] + option.size(), "w");
    if (tally().summary == nullptr) {
      std::perror(argv[i]);
      return 2;
    }
  }

  doctest::Context context(argc, argv);
  context.setOption("no-version", true);
  const int doctest_result = context.run();
  if (context.shouldExit()) return doctest_result;  // --help, --list-test-cases

  for (const std::string& place : tally().failed) tally().passed.erase(place);
  if (tally().summary == nullptr) {
    std::printf("weir-tests: passed=%zu failed=%zu\n", tally().passed.size(),
                tally().failed.size());
  }
  return doctest_result != 0 || !tally().failed.empty() ? 1 : 0;
}
