// Internal: used by fake_kernel.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <weir/reactor/kernel.hpp>

namespace weir::detail {

struct FakeSocket;
using FakeSocketPtr = std::shared_ptr<FakeSocket>;

/// One end of a connection in memory, or a listener: what a descriptor of FakeKernel leads to.
struct FakeSocket {
  enum class State { fresh, listening, connecting, connected };

  FakeSocket(int its_family, std::size_t its_capacity_bytes);

  static void join(const FakeSocketPtr& one, const FakeSocketPtr& other);

  /// What poll(2) says. A socket without a connection is ready for both: it reports a hang-up.
  bool readable() const;
  bool writable() const;

  /// At most `limit` bytes; 0 is no limit.
  IoResult recv(std::span<const iovec> buffers, std::size_t limit);
  IoResult send(std::span<const iovec> buffers, std::size_t limit);

  /// Says that we send no more.
  void shut_down();
  /// Cuts the connection: the peer reads what is queued, then the end, or ECONNRESET with `abort`.
  void hang_up(bool abort);
  /// hang_up() as close(2) does it: abort if bytes are unread, or if SO_LINGER is on with 0
  /// seconds.
  void close();

  /// Takes the connection that has waited longest; there must be one.
  FakeSocketPtr next_connection();

  std::string option(int level, int name);
  /// As getsockname(2) and getpeername(2) say them: never empty.
  std::string local_name() const;
  std::string remote_name() const;
  bool listens_at(std::string_view address) const;
  /// Nobody else can bind to `address`. Connections share that of their listener: they do not.
  bool occupies(std::string_view address) const;
  /// The peer has closed.
  bool gone() const { return state == State::connected && peer.expired(); }

  State state = State::fresh;
  int family;
  std::string local;                // Empty: not bound.
  std::string remote;               // Empty: not connected, or without a name.
  std::weak_ptr<FakeSocket> peer;   // Expired once the other side is closed.
  std::string inbox;                // Sent to us, not yet read.
  std::optional<std::string> file;  // A regular file, and no socket: its contents.
  std::size_t capacity_bytes;       // Of the peer's inbox: how far we can send ahead.
  bool ended = false;               // Nothing more comes into the inbox.
  bool shut = false;                // We send no more.
  int error = 0;                    // Told once, by recv(), send() or SO_ERROR, as Linux does.
  std::deque<FakeSocketPtr> backlog;
  std::size_t max_backlog = 0;  // What listen(2) was told.
  std::uint64_t inode = 0;      // Of the file that bind(2) made, if it made one.
  std::map<std::pair<int, int>, std::string> options;  // By level and name, as they were set.

 private:
  std::size_t room() const;
};
using FakeState = FakeSocket::State;

}  // namespace weir::detail
