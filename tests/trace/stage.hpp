// Internal: used by scenes.cpp, steps.cpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <string_view>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/sim/sim_kernel.hpp>
#include <weir/reactor/trace.hpp>

/// The other end of a connection, which is not traced: what it does, and when.
struct Peer {
  void sends(weir::Duration when, std::string_view bytes) const {
    loop->call_later(when, [machine = machine, fd = fd, bytes] {
      const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
      static_cast<void>(machine->send(fd, {&piece, 1}));
    });
  }
  /// It will send no more.
  void ends(weir::Duration when) const {
    loop->call_later(
        when, [machine = machine, fd = fd] { static_cast<void>(machine->shutdown(fd, SHUT_WR)); });
  }
  /// All that has come.
  void reads(weir::Duration when) const {
    loop->call_later(when, [machine = machine, fd = fd] {
      static char room[1 << 20];
      const iovec piece{room, sizeof room};
      while (machine->recv(fd, {&piece, 1}).value > 0) {
      }
    });
  }

  weir::EventLoop* loop;
  weir::SimKernel* machine;
  int fd;
  int ours;  // The descriptor of our end.
};

/// The machine, the loop, and a connection.
struct Stage {
  Peer connect() {
    int fds[2];
    static_cast<void>(machine.socketpair(AF_UNIX, SOCK_STREAM, fds));
    return {&loop, &machine, fds[1], fds[0]};
  }

  weir::SimKernel machine{1};
  weir::Trace trace{machine};
  weir::EventLoop loop{trace.kernel()};
  Peer peer = connect();
};
