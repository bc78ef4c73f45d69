// SPDX-License-Identifier: MIT
//
// libFuzzer's way in: `fuzz --target=NAME`, and then whatever libFuzzer takes. It has main().

// The fixtures of the tests come with CHECKs: one that fails is a finding, too.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <tests/fuzz/choices.hpp>
#include <tests/fuzz/targets.hpp>

namespace {

const weir::fuzz::Target* chosen = nullptr;

void stop_if_failed(const doctest::AssertData& checked) {
  if (checked.m_failed) weir::fuzz::require(false, checked.m_expr);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  static doctest::Context checks;
  checks.setAsDefaultForAssertsOutOfTestCases();
  checks.setAssertHandler(stop_if_failed);

  // libFuzzer ignores options that begin with two dashes, and gives them to its children.
  constexpr std::string_view option = "--target=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (!argument.starts_with(option)) continue;
    for (const weir::fuzz::Target& target : weir::fuzz::targets) {
      if (target.name == argument.substr(option.size())) chosen = &target;
    }
  }
  if (chosen != nullptr) return 0;
  std::fputs("usage: fuzz --target=NAME [LIBFUZZER'S OPTIONS] [FOLDER...]; the targets are\n",
             stderr);
  for (const weir::fuzz::Target& target : weir::fuzz::targets) std::puts(target.name.data());
  std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chosen->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
