// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>

#include <weir/net/transport.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/coro.hpp>

namespace WEIR_API weir {

/// The system cannot send this file by itself, and the fallback is off.
///
/// Source    CPython exceptions.py SendfileNotAvailableError.
class SendfileNotAvailableError : public RuntimeError {
 public:
  using RuntimeError::RuntimeError;
};

/// Options of sendfile().
struct SendfileOptions {
  std::int64_t offset = 0;                 // Where in the file to begin.
  std::optional<std::int64_t> count = {};  // How many bytes at most; all there are, if not said.
  bool fallback = true;                    // Read and write what the system cannot send by itself.
};
static_assert(
    std::is_trivially_destructible_v<SendfileOptions>);  // g++ 12: see
                                                         // docs/adr/0006-option-structs.md

/// Sends the file `fd` over `transport`, by sendfile(2), after everything written so far. Returns
/// how many bytes that were.
///
/// Shape     const std::int64_t sent = co_await sendfile(transport, fd);
///           With a StreamWriter: drain() is not needed, sendfile(writer.transport(), fd) waits.
/// Units     offset and count in bytes. The position of `fd` is neither used nor moved.
/// Errors    Thrown by the call: RuntimeError "Transport is closing", "sendfile is not supported
/// for
///           transport …"; ValueError "count must be a positive integer (got 0)", "offset must be a
///           non-negative integer (got -1)".
///           Thrown when awaited: RuntimeError "unable to sendfile; sendfile is in progress",
///           "Cannot call sendfile() after write_eof()". SendfileNotAvailableError "os.sendfile
///           call failed"  only without the fallback. ConnectionError "Connection is closed by
///           peer"  it was closed meanwhile; if an error has ended it, that one. OSError  the file
///           cannot be read. CancelledError  a part may have been sent.
/// Threads   In a task. Until it ends nothing is received, and what writes throws RuntimeError
///           "unable to write; sendfile is in progress".
/// Lifetime  `fd` stays yours, and must stay open until this has ended. After a cancellation in the
///           fallback, a thread may still be reading a block of it.
/// Cost      A few system calls for each time that the socket has room; no copy. The fallback: a
///           job for a thread and a copy for every 64 KiB.
/// Source    CPython base_events.py sendfile, unix_events.py _sock_sendfile_native_impl.
Coro<std::int64_t> sendfile(const std::shared_ptr<Transport>& transport, int fd,
                            const SendfileOptions& options = {});

}  // namespace weir
