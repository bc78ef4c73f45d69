// SPDX-License-Identifier: MIT
// Step 6, the exercise: every two clients are a pair, and talk to each other.
//
//     ./echo [PORT]
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "loop.hpp"
#include "transport.hpp"

namespace {

class Pair : public Protocol {
 public:
  /// `partner` is nobody for the first of two.
  explicit Pair(std::shared_ptr<Pair> partner) : partner_(std::move(partner)) {}

  void connection_made(const std::shared_ptr<Transport>& transport) override {
    transport_ = transport;
  }

  // Your turn: partner_ should hear this, and the end as well. And the first of two does not know
  // its partner yet.
  void data_received(std::string_view data) override { transport_->write(data); }

  void connection_lost(int) override {
    transport_ = nullptr;
    partner_ = nullptr;
  }

  bool is_lost() const { return transport_ == nullptr; }

 private:
  std::shared_ptr<Transport> transport_;
  std::shared_ptr<Pair> partner_;
};

}  // namespace

int main(int argc, char** argv) {
  EventLoop loop;
  std::shared_ptr<Pair> alone;  // Waits for a partner.
  const auto factory = [&alone] {
    if (alone && alone->is_lost()) alone = nullptr;
    const auto made = std::make_shared<Pair>(alone);
    alone = alone ? nullptr : made;
    return made;
  };
  create_server(loop, factory, argc > 1 ? std::atoi(argv[1]) : 0);
  loop.run_forever();
}
