// SPDX-License-Identifier: MIT
#include <weir/reactor/poller/poller.hpp>

#include <cstdlib>
#include <string>
#include <string_view>

#include <weir/reactor/error.hpp>

namespace weir {
namespace {

struct BackEnd {
  std::string_view name;
  std::unique_ptr<Poller> (*make)();
};

// The best one first. The only place in reactor/ that asks which system this is.
constexpr BackEnd back_ends[] = {
#if defined(__linux__)
    {"epoll", make_epoll_poller},
#endif
#if defined(__FreeBSD__) || defined(__APPLE__) || defined(WEIR_KQUEUE_EMULATED)
    {"kqueue", make_kqueue_poller},
#endif
    {"poll", make_poll_poller},
};

}  // namespace

std::unique_ptr<Poller> make_default_poller() {
  const char* const given = std::getenv("WEIR_POLLER");
  const std::string_view wanted = given == nullptr ? std::string_view() : given;
  if (wanted.empty()) return back_ends[0].make();  // `WEIR_POLLER= program` is how shells unset.
  std::string allowed;
  for (const BackEnd& back_end : back_ends) {
    if (back_end.name == wanted) return back_end.make();
    if (!allowed.empty()) allowed += ", ";
    allowed += back_end.name;
  }
  throw ValueError("WEIR_POLLER is \"" + std::string(wanted) + "\"; allowed: " + allowed);
}

}  // namespace weir
