// SPDX-License-Identifier: MIT
//
// Echo with a BufferedProtocol: all connections receive into one buffer of ours.
#include <bench/serving/servers/weir_server.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace {

class Echo final : public weir::BufferedProtocol {
 public:
  explicit Echo(std::vector<char>& room) noexcept : room_(room) {}

  void connection_made(const std::shared_ptr<weir::Transport>& transport) override {
    transport_ = transport.get();
  }
  std::span<char> get_buffer(std::ptrdiff_t) override { return room_; }
  void buffer_updated(std::size_t bytes) override {
    transport_->write(std::string_view(room_.data(), bytes));
  }
  void pause_writing() override { transport_->pause_reading(); }
  void resume_writing() override { transport_->resume_reading(); }

 private:
  std::vector<char>& room_;
  weir::Transport* transport_ = nullptr;  // It keeps us until connection_lost.
};

weir::Coro<> serve(std::vector<char>* room) {
  const auto make_echo = [room] { return std::make_shared<Echo>(*room); };
  const weir::Server server =
      co_await weir::create_server(make_echo, "127.0.0.1", 0, weir::bench::server_options);
  weir::bench::tell_port(server);
  co_await server.serve_forever();
}

}  // namespace

int main() {
  std::vector<char> room(256 * 1024);
  return weir::run(serve(&room));
}
