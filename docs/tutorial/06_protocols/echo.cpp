// SPDX-License-Identifier: MIT
// Step 6: what a server says is apart from how the bytes move.
//
//     ./echo [PORT [DELAY_IN_MILLISECONDS]]
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "loop.hpp"
#include "transport.hpp"

namespace {

// [echo]
/// Sends everything back, after a delay.
class Echo : public Protocol {
 public:
  Echo(EventLoop& loop, Clock::duration delay) : loop_(loop), delay_(delay) {}

  void connection_made(const std::shared_ptr<Transport>& transport) override {
    transport_ = transport;
  }

  void data_received(std::string_view data) override {
    loop_.call_later(
        delay_, [transport = transport_, answer = std::string(data)] { transport->write(answer); });
  }

  bool eof_received() override {
    loop_.call_later(delay_, [transport = transport_] { transport->close(); });
    return true;  // There may be answers to come.
  }

  void connection_lost(int) override { transport_ = nullptr; }

 private:
  EventLoop& loop_;
  Clock::duration delay_;
  std::shared_ptr<Transport> transport_;
};
// [/echo]

}  // namespace

// [main]
int main(int argc, char** argv) {
  EventLoop loop;
  const std::chrono::milliseconds delay(argc > 2 ? std::atoi(argv[2]) : 0);
  const auto factory = [&loop, delay] { return std::make_shared<Echo>(loop, delay); };
  create_server(loop, factory, argc > 1 ? std::atoi(argv[1]) : 0);
  loop.run_forever();
}
// [/main]
