// SPDX-License-Identifier: MIT
//
// Cases that the reporter in main.cpp must tell apart. Most of them fail, as they should;
// test_reporter.py runs them one by one.

#include <doctest/doctest.h>

#include <unistd.h>

#include <csignal>
#include <stdexcept>

TEST_SUITE("selftest") {
  TEST_CASE("asserts and passes") { CHECK(1 + 1 == 2); }

  TEST_CASE("asserts and fails") { CHECK(1 + 1 == 3); }

  TEST_CASE("asserts nothing") {}

  TEST_CASE("asserts nothing but prints") { MESSAGE("a message is no assertion"); }

  TEST_CASE("asserts nothing but warns") { WARN(1 + 1 == 2); }

  TEST_CASE("asserts in one of two subcases") {
    SUBCASE("this one") { CHECK(1 + 1 == 2); }
    SUBCASE("not this one") {}
  }

  TEST_CASE("throws") { throw std::runtime_error("on purpose"); }

  TEST_CASE("crashes") {
    CHECK(1 + 1 == 2);
    raise(SIGSEGV);
  }

  TEST_CASE("leaves without a word") { _exit(0); }

  TEST_CASE("shares its name") { CHECK(true); }
  TEST_CASE("shares its name") { CHECK(true); }

  TEST_CASE_TEMPLATE("is one case for three types", T, int, long, char) { CHECK(T(1) == T(1)); }
}

TEST_SUITE("selftest/other") {
  TEST_CASE("asserts and passes") { CHECK(1 + 1 == 2); }
}
