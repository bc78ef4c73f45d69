// Internal: used by the echo servers of weir at protocol level.
// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string_view>

#include <weir/net/protocol.hpp>
#include <weir/net/transport.hpp>

namespace weir::bench {

/// What arrives is written back in the callback.
class Echo final : public Protocol {
 public:
  void connection_made(const std::shared_ptr<Transport>& transport) override {
    transport_ = transport.get();
  }
  void data_received(std::string_view data) override { transport_->write(data); }
  void pause_writing() override { transport_->pause_reading(); }  // The client does not read.
  void resume_writing() override { transport_->resume_reading(); }

 private:
  Transport* transport_ = nullptr;  // It keeps us until connection_lost.
};

}  // namespace weir::bench
