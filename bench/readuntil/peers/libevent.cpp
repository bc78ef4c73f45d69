// SPDX-License-Identifier: MIT
//
// libevent's evbuffer: readln for lines, which gives a string of its own; search for any
// separator, with the record made contiguous where it lies, which is its way to a view.
#include <event2/buffer.h>
#include <event2/event.h>

#include <bench/readuntil/sides.hpp>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::bench {
namespace {

struct FreeBuffer {
  void operator()(evbuffer* buffer) const { evbuffer_free(buffer); }
};
using Buffer = std::unique_ptr<evbuffer, FreeBuffer>;

struct Readln {
  template <class Sink>
  void operator()(const Workload& workload, Sink& sink) {
    const std::string_view separator = workload.separator();
    const evbuffer_eol_style style = separator == "\n" ? EVBUFFER_EOL_LF : EVBUFFER_EOL_CRLF_STRICT;
    const Buffer buffer(evbuffer_new());
    for (const std::string_view chunk : workload.chunks) {
      evbuffer_add(buffer.get(), chunk.data(), chunk.size());
      std::size_t length = 0;
      while (char* line = evbuffer_readln(buffer.get(), &length, style)) {
        sink(std::string_view(line, length), separator);
        std::free(line);
      }
    }
  }
};

struct Search {
  template <class Sink>
  void operator()(const Workload& workload, Sink& sink) {
    const std::string_view separator = workload.separator();
    const Buffer buffer(evbuffer_new());
    std::size_t searched = 0;
    for (const std::string_view chunk : workload.chunks) {
      evbuffer_add(buffer.get(), chunk.data(), chunk.size());
      for (;;) {
        evbuffer_ptr from;
        evbuffer_ptr_set(buffer.get(), &from, searched, EVBUFFER_PTR_SET);
        const evbuffer_ptr hit =
            evbuffer_search(buffer.get(), separator.data(), separator.size(), &from);
        if (hit.pos < 0) break;
        const std::size_t length = static_cast<std::size_t>(hit.pos) + separator.size();
        const unsigned char* record =
            evbuffer_pullup(buffer.get(), static_cast<ev_ssize_t>(length));
        sink(std::string_view(reinterpret_cast<const char*>(record), length));
        evbuffer_drain(buffer.get(), length);
        searched = 0;
      }
      const std::size_t left = evbuffer_get_length(buffer.get());
      searched = left >= separator.size() ? left + 1 - separator.size() : 0;
    }
  }
};

bool is_line(const Workload& workload) {
  return !workload.is_set() && (workload.separator() == "\n" || workload.separator() == "\r\n");
}

}  // namespace

std::vector<Side> libevent_sides() {
  std::vector<Side> sides;
  sides.push_back(std::make_unique<SimpleContestant<Readln>>("libevent readln", is_line));
  sides.push_back(std::make_unique<SimpleContestant<Search>>("libevent search", one_separator));
  return sides;
}

std::string libevent_version() { return event_get_version(); }

}  // namespace weir::bench
