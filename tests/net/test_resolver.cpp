// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <netdb.h>
#include <netinet/in.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include <weir/net/resolver.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/net/net_loop.hpp>

using namespace weir;
using namespace std::string_view_literals;
using weir::test::error_of;
using weir::test::NetLoop;

namespace {

struct Resolving : NetLoop {
  /// "family type protocol address, ..." of the answers, or the error.
  std::string look_up(std::string_view host, Port port, const ResolveOptions& options = {}) {
    std::string text;
    const std::string error = error_of([&] {
      for (const AddressInfo& info : loop.run_until_complete(getaddrinfo(host, port, options))) {
        text += (text.empty() ? "" : ", ") + std::to_string(info.family) + " " +
                std::to_string(info.type) + " " + std::to_string(info.protocol) + " " +
                info.endpoint.repr();
      }
    });
    return error == "nothing" ? text : error;
  }
  std::uint64_t lookups() const { return calls.count(Call::getaddrinfo); }
};

std::string port_error(int number) {
  return error_of([&] { static_cast<void>(Port(number)); });
}
std::string port_error(std::string_view service) {
  return error_of([&] { static_cast<void>(Port(service)); });
}

}  // namespace

TEST_SUITE_BEGIN("net/resolver");

// ---- Port

TEST_CASE("Port: a number is from 0 to 65535") {
  CHECK(Port(0).number() == 0);
  CHECK(Port(65535).number() == 65535);
  CHECK(port_error(-1) == "ValueError: port must be 0-65535, not -1");
  CHECK(port_error(65536) == "ValueError: port must be 0-65535, not 65536");
}

// CPython: base_events.py _ipaddr_info makes a number of it
TEST_CASE("Port: digits are a number, in the same range") {
  CHECK(Port("8080").numeric());
  CHECK(Port("8080").number() == 8080);
  CHECK(Port("0080").number() == 80);
  CHECK(Port("+80").number() == 80);
  CHECK(Port("-0").number() == 0);
  CHECK(port_error("-1") == "ValueError: port must be 0-65535, not -1");
  CHECK(port_error("65536") == "ValueError: port must be 0-65535, not 65536");
  CHECK(port_error("99999999999999999999") ==
        "ValueError: port must be 0-65535, not 99999999999999999999");
}

TEST_CASE("Port: an empty service is port 0") {
  CHECK(Port("").numeric());
  CHECK(Port("").number() == 0);
}

TEST_CASE("Port: anything else is the name of a service") {
  for (const std::string_view name : {"http", "-", "+-1", "80 ", " 80", "0x50", "8O"}) {
    CAPTURE(name);
    CHECK_FALSE(Port(name).numeric());
    CHECK(Port(name).service() == name);
  }
}

// ---- Numeric addresses

// CPython: test_base_events.py BaseEventTests.test_ipaddr_info
TEST_CASE_FIXTURE(Resolving,
                  "getaddrinfo: a numeric address is answered without asking the system") {
  CHECK(look_up("192.0.2.1", 80) == "2 1 6 ('192.0.2.1', 80)");
  CHECK(look_up("2001:db8::1", 80) == "10 1 6 ('2001:db8::1', 80, 0, 0)");
  CHECK(look_up("127.0.0.1", "8080") == "2 1 6 ('127.0.0.1', 8080)");
  CHECK(look_up("127.0.0.1", "") == "2 1 6 ('127.0.0.1', 0)");
  CHECK(lookups() == 0);
  CHECK(calls.count(Call::make_executor) == 0);
}

TEST_CASE_FIXTURE(Resolving, "getaddrinfo: the kind of socket asked for is the kind answered") {
  CHECK(look_up("127.0.0.1", 1, {.type = SOCK_DGRAM}) == "2 2 17 ('127.0.0.1', 1)");
  CHECK(look_up("127.0.0.1", 1, {.type = SOCK_RAW}) == "2 3 0 ('127.0.0.1', 1)");
  CHECK(look_up("127.0.0.1", 1, {.protocol = IPPROTO_SCTP}) == "2 1 132 ('127.0.0.1', 1)");
}

TEST_CASE_FIXTURE(Resolving,
                  "getaddrinfo: a numeric address of another family is the system's business") {
  CHECK(look_up("127.0.0.1", 1, {.family = AF_INET}) == "2 1 6 ('127.0.0.1', 1)");
  CHECK(lookups() == 0);
  CHECK(look_up("127.0.0.1", 1, {.family = AF_INET6}) ==
        "GaiError: [Errno -2] Name or service not known");
  CHECK(lookups() == 1);
}

TEST_CASE_FIXTURE(Resolving, "getaddrinfo: short forms, scopes and services ask the system") {
  CHECK(look_up("127.1", 1) == "GaiError: [Errno -2] Name or service not known");
  CHECK(look_up("fe80::1%lo", 1) == "GaiError: [Errno -2] Name or service not known");
  CHECK(look_up("127.0.0.1", "http") ==
        "GaiError: [Errno -8] Servname not supported for ai_socktype");
  CHECK(lookups() == 3);
}

// ---- Names

TEST_CASE_FIXTURE(Resolving, "getaddrinfo: a name gives all its addresses, in the system's order") {
  kernel.add_host("weir.example", {"2001:db8::1", "192.0.2.2", "192.0.2.1"});
  CHECK(look_up("weir.example", 80) ==
        "10 1 6 ('2001:db8::1', 80, 0, 0), 2 1 6 ('192.0.2.2', 80), 2 1 6 ('192.0.2.1', 80)");
  CHECK(look_up("weir.example", 80, {.family = AF_INET}) ==
        "2 1 6 ('192.0.2.2', 80), 2 1 6 ('192.0.2.1', 80)");
}

TEST_CASE_FIXTURE(Resolving, "getaddrinfo: the system's list is given back, once") {
  look_up("localhost", 80);
  CHECK(calls.count(Call::freeaddrinfo) == 1);
  look_up("nowhere.example", 80);
  CHECK(calls.count(Call::freeaddrinfo) == 1);
}

TEST_CASE_FIXTURE(Resolving,
                  "getaddrinfo: no host is every interface when passive, else this machine") {
  CHECK(look_up("", 80, {.flags = AI_PASSIVE}) == "2 1 6 ('0.0.0.0', 80), 10 1 6 ('::', 80, 0, 0)");
  CHECK(look_up("", 80) == "2 1 6 ('127.0.0.1', 80), 10 1 6 ('::1', 80, 0, 0)");
}

TEST_CASE_FIXTURE(Resolving, "getaddrinfo: an unknown name is a GaiError, which is an OSError") {
  CHECK(look_up("nowhere.example", 80) == "GaiError: [Errno -2] Name or service not known");
  CHECK_THROWS_AS(loop.run_until_complete(getaddrinfo("nowhere.example", 80)), OSError);
}

TEST_CASE_FIXTURE(Resolving,
                  "getaddrinfo: the resolver's other failures keep their number and text") {
  kernel.script(Call::getaddrinfo, {.value = EAI_AGAIN});
  CHECK(look_up("a.example", 80) == "GaiError: [Errno -3] Temporary failure in name resolution");
  kernel.script(Call::getaddrinfo, {.value = EAI_FAIL});
  CHECK(look_up("a.example", 80) ==
        "GaiError: [Errno -4] Non-recoverable failure in name resolution");
}

TEST_CASE_FIXTURE(Resolving, "getaddrinfo: a failure of the system is the OSError of its errno") {
  kernel.script(Call::getaddrinfo, {.error = EMFILE});
  CHECK(look_up("a.example", 80) == "OSError: [Errno 24] Too many open files");
}

TEST_CASE_FIXTURE(Resolving, "getaddrinfo: no answer at all is no address, as asyncio has it") {
  kernel.script(Call::getaddrinfo, {.value = 0});
  CHECK(loop.run_until_complete(getaddrinfo("a.example", 80)).empty());
}

// ---- Bad names: CVE-2024-24806, a long name that was cut to a short one

TEST_CASE_FIXTURE(Resolving, "B34: a name of 253 bytes is looked up, one of 254 is refused") {
  const std::string longest(253, 'a');
  CHECK(look_up(longest, 80) == "GaiError: [Errno -2] Name or service not known");
  CHECK(lookups() == 1);
  CHECK(look_up(longest + "b", 80) ==
        "ValueError: host name is 254 bytes long, at most 253 are allowed: '" +
            std::string(32, 'a') + "...'");
  CHECK(lookups() == 1);
}

TEST_CASE_FIXTURE(Resolving,
                  "B34: a NUL in host or service is refused before anything is looked up") {
  CHECK(look_up("127.0.0.1\0.evil.example"sv, 80) ==
        "ValueError: embedded null character in host name");
  CHECK(look_up("localhost\0"sv, 80) == "ValueError: embedded null character in host name");
  CHECK(look_up("localhost", "http\0x"sv) == "ValueError: embedded null character in service name");
  CHECK(lookups() == 0);
}

// ---- While it takes its time

TEST_CASE_FIXTURE(Resolving, "getaddrinfo: the loop goes on while a name is looked up") {
  kernel.set_jobs_per_wait(0);
  const auto lookup = loop.create_task(getaddrinfo("localhost", 80));
  run();
  CHECK_FALSE(lookup.done());
  CHECK(kernel.queued_jobs() == 1);
  kernel.set_jobs_per_wait(1);
  run();
  CHECK(lookup.result().size() == 1);
}

TEST_CASE_FIXTURE(Resolving, "getaddrinfo: host and service may go when it has returned") {
  std::string host = "localhost";
  std::string service = "8080";
  auto lookup = getaddrinfo(host, std::string_view(service));
  host.assign(host.size(), '?');
  service.assign(service.size(), '?');
  CHECK(loop.run_until_complete(std::move(lookup)).front().endpoint.repr() ==
        "('127.0.0.1', 8080)");
}

TEST_CASE_FIXTURE(
    Resolving, "B37: a lookup that is cancelled ends at once, and the late answer harms nobody") {
  kernel.set_jobs_per_wait(0);
  const auto lookup = loop.create_task(getaddrinfo("localhost", 80));
  run();
  lookup.cancel();
  run();
  CHECK(lookup.cancelled());
  kernel.set_jobs_per_wait(1);
  run();
  CHECK(calls.count(Call::getaddrinfo) == calls.count(Call::freeaddrinfo));
}

TEST_CASE_FIXTURE(Resolving, "B37: a loop that closes drops the question") {
  kernel.set_jobs_per_wait(0);
  const auto lookup = loop.create_task(getaddrinfo("localhost", 80));
  run();
  loop.close();
  CHECK(lookup.cancelled());
  CHECK(lookups() == 0);
}

TEST_SUITE_END();
