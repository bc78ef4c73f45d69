// SPDX-License-Identifier: MIT
//
// Echo at protocol level: what arrives is written back in the callback.
#include <bench/serving/servers/weir_server.hpp>
#include <memory>
#include <string_view>

namespace {

class Echo final : public weir::Protocol {
 public:
  void connection_made(const std::shared_ptr<weir::Transport>& transport) override {
    transport_ = transport.get();
  }
  void data_received(std::string_view data) override { transport_->write(data); }
  void pause_writing() override { transport_->pause_reading(); }  // The client does not read.
  void resume_writing() override { transport_->resume_reading(); }

 private:
  weir::Transport* transport_ = nullptr;  // It keeps us until connection_lost.
};

weir::Coro<> serve() {
  const auto make_echo = [] { return std::make_shared<Echo>(); };
  const weir::Server server =
      co_await weir::create_server(make_echo, "127.0.0.1", 0, weir::bench::server_options);
  weir::bench::tell_port(server);
  co_await server.serve_forever();
}

}  // namespace

int main() { return weir::run(serve()); }
