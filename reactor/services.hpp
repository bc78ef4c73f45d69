// Internal: used by the loop.
// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

/// Objects of a loop, one a type at most: what a layer above it keeps for all that it does there.
///
/// Errors    get() may throw std::bad_alloc, and what S's constructor throws; nothing has changed
///           then.
/// Cost      get() looks at them one by one: there are two or three.
class Services {
 public:
  /// The S that is there, or a new one, made from `owner`.
  template <class S, class Owner>
  S& get(Owner& owner) {
    for (const Service& service : services_) {
      if (service.key == &key_of<S>) return *static_cast<S*>(service.object.get());
    }
    auto made = std::make_unique<S>(owner);
    S& result = *made;
    services_.push_back({&key_of<S>, {made.release(), [](void* s) { delete static_cast<S*>(s); }}});
    return result;
  }
  bool empty() const noexcept { return services_.empty(); }
  void destroy_last() {
    // Taken out first: its destructor may look for others.
    const Service last = std::move(services_.back());
    services_.pop_back();
  }

 private:
  struct Service {
    const char* key;
    std::unique_ptr<void, void (*)(void*)> object;
  };
  template <class S>
  static constexpr char key_of = 0;

  std::vector<Service> services_;
};

}  // namespace detail
}  // namespace weir
