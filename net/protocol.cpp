// SPDX-License-Identifier: MIT
#include <weir/net/protocol.hpp>

namespace weir {

void BaseProtocol::connection_made(const std::shared_ptr<Transport>&) {}
void BaseProtocol::connection_lost(const std::exception_ptr&) {}
void BaseProtocol::pause_writing() {}
void BaseProtocol::resume_writing() {}
std::string BaseProtocol::repr() const { return "<Protocol>"; }
void Protocol::data_received(std::string_view) {}
bool Protocol::eof_received() { return false; }
bool BufferedProtocol::eof_received() { return false; }

}  // namespace weir
