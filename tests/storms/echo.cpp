// SPDX-License-Identifier: MIT
//
// Sends pseudo-random bytes to an echo server, and prints the FNV-1a hash of what was sent and of
// what came back.
//
//     storm_echo HOST PORT BYTES
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <weir/net/connect.hpp>
#include <weir/net/protocol.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/runner.hpp>

namespace {

constexpr std::size_t block_bytes = 64 * 1024;

/// A count and a hash of bytes as they pass.
struct Flow {
  std::uint64_t bytes = 0;
  std::uint64_t hash = 0xcbf29ce484222325;

  void take(std::string_view data) {
    bytes += data.size();
    for (const char c : data) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
};

class Sender : public weir::Protocol {
 public:
  explicit Sender(std::uint64_t bytes) : total_(bytes) {}

  void connection_made(const std::shared_ptr<weir::Transport>& transport) override {
    transport_ = transport;
    send_more();
  }
  void pause_writing() override { paused_ = true; }
  void resume_writing() override {
    paused_ = false;
    send_more();
  }
  void data_received(std::string_view data) override {
    received.take(data);
    if (received.bytes >= total_) transport_->close();
  }
  void connection_lost(const std::exception_ptr& error) override {
    transport_ = nullptr;
    if (error) std::fprintf(stderr, "%s\n", weir::describe(error).c_str());
    ended.set_result();
  }

  Flow sent;
  Flow received;
  weir::Future<> ended = weir::get_running_loop().create_future<void>();

 private:
  void send_more() {
    while (!paused_ && sent.bytes < total_) {
      const std::string_view block = next_block();
      sent.take(block);
      transport_->write(block);  // May pause us.
    }
  }
  std::string_view next_block() {
    for (char& c : block_) {
      state_ = state_ * 6364136223846793005 + 1442695040888963407;
      c = static_cast<char>(state_ >> 56U);
    }
    const std::uint64_t left = total_ - sent.bytes;
    return {block_.data(), static_cast<std::size_t>(std::min<std::uint64_t>(left, block_bytes))};
  }

  std::uint64_t total_;
  std::uint64_t state_ = 1;
  std::array<char, block_bytes> block_{};
  std::shared_ptr<weir::Transport> transport_;
  bool paused_ = false;
};

weir::Coro<int> send(const char* host, int port, std::uint64_t bytes) {
  const auto factory = [bytes] { return std::make_shared<Sender>(bytes); };
  const auto made = co_await weir::create_connection(factory, host, port);
  co_await made.protocol->ended;
  for (const Flow& flow : {made.protocol->sent, made.protocol->received}) {
    std::printf("%llu bytes %016llx\n", static_cast<unsigned long long>(flow.bytes),
                static_cast<unsigned long long>(flow.hash));
  }
  co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s HOST PORT BYTES\n", argv[0]);
    return 2;
  }
  return weir::run(send(argv[1], std::atoi(argv[2]), std::strtoull(argv[3], nullptr, 10)));
}
