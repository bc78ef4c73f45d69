// SPDX-License-Identifier: MIT
#include <tests/faults/sweep.hpp>

// What docs/errno_policy.md says, from the table of known_faults.cpp.

namespace weir::faults {
namespace {

constexpr const char* introduction =
    R"(# What weir does when the system says no

Made from `reactor/sim/known_faults.cpp` by `./dev faults --policy`: do not edit. `./dev faults`
makes every call of fifty-odd programs fail in each of these ways, once and from then on, and holds
weir to what is said here.

The rules behind it:

- What may work the next time is tried again, and nobody notices: EAGAIN, EINTR, a short count.
- What ends one connection ends that connection and no other: `connection_lost(error)`, and
  `StreamReader` and `StreamWriter` throw it. An `OSError` is not reported besides.
- What somebody has asked for and cannot have is thrown at that call, with the errno in `code()`.
- What nobody could be told goes to the exception handler or to the log, and the loop goes on.
- A server survives every error of `accept()`: it drops the one connection, or it waits for a
  second.
- Only a poller that does not work any more stops the loop.
)";

constexpr const char* reactions =
    R"(
## The words

| what weir does | what you see of it |
|---|---|
| tries again | nothing, but for the time that it takes |
| goes on without | nothing, or an address or a socket option that is missing |
| reports it, tries again after a second | the exception handler is told; clients wait |
| drops this connection, accepts the next | nothing |
| does it in another way | nothing: `sendfile()` reads and writes; without `fallback` it throws |
| tries the next address; without one, the call throws | an `OSError` that names all addresses |
| the call throws | `OSError` or `GaiError` at the `co_await`, or what the call's header says |
| logs it | one line; a file stays behind, or a stale one is in the way |
| ends this connection | `connection_lost(error)`; reads, `drain()` and `wait_closed()` throw it |
| takes it for the end | `eof_received()`, an empty `read()`, a `sendfile()` that sent less |
| refuses to watch it | see below |
| goes by the clock | time-outs come early or late |
| stops the loop | `run_forever()` throws; `close()` still ends everything |

A descriptor that the poller does not take: a new connection ends with the error, `add_reader()`,
`start_serving()` and a connect throw it. Of one that is watched already the change is reported, and
tried again every second.
)";

}  // namespace

std::string policy_page() {
  std::string page = introduction;
  page += reactions;
  page += "\n## Call by call\n";
  std::string_view before;
  for (const KnownFault& known : known_faults()) {
    const std::string_view call = to_string(known.call);
    if (call != before) {
      page += "\n### " + std::string(call) + "\n\n| it says | weir | known from |\n|---|---|---|\n";
      before = call;
    }
    page += "| " + name_of(known) + " | " + std::string(to_string(known.reaction)) + " | " +
            std::string(known.source) + " |\n";
  }
  return page;
}

}  // namespace weir::faults
