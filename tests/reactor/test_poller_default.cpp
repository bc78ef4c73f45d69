// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <stdlib.h>

#include <optional>
#include <string>
#include <string_view>

#include <weir/reactor/error.hpp>
#include <weir/reactor/poller/poller.hpp>

#include <tests/reactor/back_ends.hpp>

namespace {

/// WEIR_POLLER with this value, or without any, for as long as this lives.
class PollerChoice {
 public:
  explicit PollerChoice(const char* value) {
    if (const char* before = ::getenv("WEIR_POLLER")) before_ = before;
    set(value);
  }
  PollerChoice(const PollerChoice&) = delete;
  PollerChoice& operator=(const PollerChoice&) = delete;
  ~PollerChoice() { set(before_ ? before_->c_str() : nullptr); }

 private:
  static void set(const char* value) {
    value != nullptr ? ::setenv("WEIR_POLLER", value, 1) : ::unsetenv("WEIR_POLLER");
  }
  std::optional<std::string> before_;
};

}  // namespace

TEST_SUITE_BEGIN("reactor/poller_default");

TEST_CASE("make_default_poller: the best of this system, if nobody says otherwise") {
  const PollerChoice none(nullptr);
  CHECK(weir::make_default_poller()->name() == std::string_view(back_ends()[0].name));
  const PollerChoice empty("");
  CHECK(weir::make_default_poller()->name() == std::string_view(back_ends()[0].name));
}

TEST_CASE("make_default_poller: WEIR_POLLER names the back end") {
  for (const BackEnd& back_end : back_ends()) {
    const PollerChoice choice(back_end.name);
    CHECK(weir::make_default_poller()->name() == std::string_view(back_end.name));
  }
}

TEST_CASE("make_default_poller: an unknown name is a ValueError that says what is allowed") {
  const PollerChoice choice("select");
  std::string text = "WEIR_POLLER is \"select\"; allowed: ";
  for (const BackEnd& back_end : back_ends()) {
    text += (&back_end == &back_ends()[0] ? "" : ", ") + std::string(back_end.name);
  }
  CHECK_THROWS_WITH_AS(weir::make_default_poller(), text.c_str(), weir::ValueError);
}

TEST_SUITE_END();
