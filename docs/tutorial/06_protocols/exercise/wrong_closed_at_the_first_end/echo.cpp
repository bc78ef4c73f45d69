// SPDX-License-Identifier: MIT
// Step 6, the exercise: every two clients are a pair, and talk to each other.
// Wrong on purpose: the end of one direction ends both.
//
//     ./echo [PORT]
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "loop.hpp"
#include "transport.hpp"

namespace {

class Pair : public Protocol, public std::enable_shared_from_this<Pair> {
 public:
  /// `partner` is nobody for the first of two.
  explicit Pair(std::shared_ptr<Pair> partner) : partner_(std::move(partner)) {}

  void connection_made(const std::shared_ptr<Transport>& transport) override {
    transport_ = transport;
    if (partner_) partner_->partner_ = shared_from_this();
  }

  void data_received(std::string_view data) override {
    if (partner_) partner_->transport_->write(data);
  }

  bool eof_received() override {
    if (partner_) partner_->transport_->close();
    return false;
  }

  void connection_lost(int) override {
    if (partner_) {
      partner_->transport_->close();
      partner_->partner_ = nullptr;
    }
    partner_ = nullptr;
    transport_ = nullptr;
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
