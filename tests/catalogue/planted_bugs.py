# SPDX-License-Identifier: MIT
"""The bugs of docs/bug_catalogue.md as patches of weir: ./dev mutants plants one after the other.

A bug is planted in one place: `old` stands once in the file, or in the function that begins with
`inside`. Each of the tests that name the bug runs, and one of them must notice. A bug of a header
is compiled into the files of these tests, and into `compile_too`, where the library uses it.
"""

import pathlib
import sys
from typing import NamedTuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from planting import Patch  # noqa: E402


class Bug(NamedTuple):
    bug: str  # B01
    patch: Patch
    compile_too: tuple[str, ...] = ()
    refused: bool = False  # The compiler notices.


def bug(name: str, source: str, old: str, new: str, inside: str = "",
        compile_too: tuple[str, ...] = (), refused: bool = False) -> Bug:
    return Bug(name, Patch(source, old, new, inside), compile_too, refused)


BUGS = (
    # 2.1 Loop, readiness, timers, wake-up
    bug("B01", "reactor/io_table.cpp", "++its.generation;", ""),
    # close() is trusted to end the registration.
    bug("B02", "reactor/poller/poller_epoll.cpp", "control(EPOLL_CTL_DEL, fd, after);", ""),
    bug("B03", "reactor/event_loop.cpp", "if (!io_.current(event)) [[unlikely]] {",
        "if (false) {"),
    # An event without anything to read is an error.
    bug("B04", "net/socket_transport_reading.cpp", "if (got.would_block()) return;", ""),
    bug("B05", "net/connect_race.cpp", "for (const auto& attempt : attempts_) unwatch(*attempt);",
        "", inside="ConnectRace::~ConnectRace()"),
    # The address of the table is kept while callbacks make it grow.
    bug("B06", "reactor/io_table.cpp", "Entry& its = entries_[index(fd)];",
        "static Entry* first = nullptr;\n"
        "  if (first == nullptr) first = entries_.data();\n"
        "  Entry& its = first[index(fd)];", inside="int IoTable::open("),
    # No interest is a mask of 0, which hang-ups pass.
    bug("B07", "reactor/poller/poller_epoll.cpp", "control(EPOLL_CTL_DEL, fd, after);",
        "control(EPOLL_CTL_MOD, fd, {before.generation, Interest::none});"),
    bug("B08", "reactor/io_table.cpp", "if (wanted == its.registered) {",
        "if (wanted == its.registered || wanted == Interest::none) {"),
    bug("B09", "reactor/event_loop.cpp",
        "poller_->wait(time_to_wait(), events_); error != 0",
        "poller_->wait(time_to_wait(), events_); error != 0 && error != EBADF"),
    bug("B10", "reactor/poller/poller.hpp", "std::chrono::ceil<", "std::chrono::floor<",
        compile_too=("reactor/poller/poller_epoll.cpp",)),
    bug("B11", "reactor/clock.hpp",
        "if (delay > Duration::zero() && since > Duration::max() - delay) return TimePoint::max();",
        "", compile_too=("reactor/event_loop.cpp",)),
    bug("B12", "reactor/event_loop.cpp",
        "timers_.queue_due(now, ready_);",
        "while (detail::Timer* timer = timers_.pop_due(now)) call(*timer);"),
    # It looks at the clock again and again, in case that this has jumped.
    bug("B13", "reactor/event_loop.cpp",
        "return until > now ? until - now : Duration::zero();",
        "return until > now ? std::min<Duration>(until - now, std::chrono::seconds(1))\n"
        "                     : Duration::zero();"),
    bug("B14", "reactor/timer_heap.cpp",
        "if (hole > 0 && before(last, entries_[(hole - 1) / arity])) {", "if (false) {"),
    bug("B15", "reactor/poller/poller_epoll.cpp", "std::uint64_t{registration.generation} << 32U",
        "std::uint64_t{registration.generation & 0xffffU} << 32U"),
    # The flag stays up, so that nobody rings again.
    bug("B16", "reactor/poller/wakeup_eventfd.cpp",
        "pending_.exchange(false, std::memory_order_acq_rel);", "", inside="void Wakeup::consume("),
    bug("B17", "reactor/mailbox.cpp", "poller_ = nullptr;", ""),
    bug("B18", "reactor/kernel.hpp", "|| error == EINTR;", ";",
        compile_too=("net/socket_transport_reading.cpp", "net/socket_transport.cpp")),
    bug("B19", "reactor/unique_fd.hpp", "if (fd_ >= 0) kernel_->close(release());",
        "for (const int fd = release(); fd >= 0 && kernel_->close(fd) == EINTR;) {\n    }"),
    bug("B20", "reactor/event_loop.cpp",
        "if (!ready_.empty() || stopping_ || mailbox_->has_mail() || signals_.any_pending()) {",
        "if (!ready_.empty() || mailbox_->has_mail() || signals_.any_pending()) {"),
    bug("B21", "net/listener.cpp", "left > 0 && socket_->valid(); --left",
        "left > 0 && socket_->valid();"),
    # Destroyed under the lock, which its destructor wants, too.
    bug("B22", "reactor/mailbox.cpp", "unread.take(inbox_);",
        "while (Queueable* letter = inbox_.pop()) letter->kind->drop(*letter);"),
    bug("B23", "reactor/kernel_posix.cpp", "birth_flags = SOCK_NONBLOCK | SOCK_CLOEXEC",
        "birth_flags = SOCK_NONBLOCK"),
    # What waits is neither run nor dropped.
    bug("B24", "reactor/executor.cpp", "dropped.swap(jobs_);", ""),
    # 2.2 Listening, accepting, connecting, DNS
    bug("B25", "net/listener.cpp", "loop_.io().set_reader(socket_->fd(), nullptr);", ""),
    bug("B26", "net/listener.cpp",
        "retry_.arm(deadline_after(loop_.time(), accept_retry_delay));", ""),
    # The name is asked for when the client is gone.
    bug("B27", "net/server_state.cpp", "std::move(peer), this, nullptr",
        "Endpoint(), this, nullptr"),
    bug("B28", "net/listener.cpp", "left > 0 && socket_->valid(); --left", "left > 0; --left"),
    bug("B29", "net/unix_path.cpp",
        "if (owner == Owner::somebody) throw_path_in_use(path);", ""),
    bug("B30", "net/server.cpp",
        "socket.set_option(SOL_SOCKET, SO_REUSEPORT, 1) != 0", "options.backlog < 0"),
    bug("B31", "net/server_state.cpp", "if (closed_) wake_all(end_waiters_);", "",
        inside="void ServerState::end_if_unused("),
    bug("B32", "net/connect_race.cpp",
        "if (error == 0 && connected_to_itself(attempt.socket, attempt.to)) error = ECONNREFUSED;",
        ""),
    bug("B33", "net/unix_connect.cpp", "error == EAGAIN;", "error == EINPROGRESS;"),
    bug("B34", "net/resolver.cpp", "if (host.size() > max_host_bytes) {", "if (false) {"),
    bug("B35", "net/address.cpp",
        "if (host.empty() || host.size() >= text.size()) return std::nullopt;",
        "host = host.substr(0, text.size() - 1);"),
    bug("B36", "net/resolver.cpp", "loop.lookup_executor()", "loop.default_executor()"),
    # The thread looks into the frame of a coroutine that is gone.
    bug("B37", "net/resolver.cpp", "[&kernel = loop.kernel(), host, service, options] {",
        "[&kernel = loop.kernel(), &host, &service, options] {"),
    # 2.3 Writing and closing
    bug("B38", "net/socket_transport.cpp",
        "buffer_.settle(); } after_enqueue();",
        "buffer_.settle(); } if (pieces.size() < 2) after_enqueue();"),
    bug("B39", "net/socket_transport.cpp", "if (sent.would_block()) return;",
        "if (sent.would_block()) { buffer_.consume(1); return; }"),
    bug("B40", "net/socket_transport.cpp", "if (total == 0) return;",
        "if (total == 0) { mode_.blocked = true; return; }"),
    bug("B41", "net/socket_transport.cpp",
        "if (has_ended()) [[unlikely]] return drop_write();",
        "if (mode_.state == State::ending) [[unlikely]] return drop_write();"),
    bug("B42", "net/write_buffer.cpp", "first_capacity, before * 2, kept + more",
        "first_capacity, before * 0, kept + more"),
    bug("B43", "reactor/kernel_posix.cpp", "std::min(buffers.size(), Kernel::max_iovecs)",
        "buffers.size()"),
    bug("B44", "reactor/kernel_posix.cpp",
        "::send(fd, buffers[0].iov_base, buffers[0].iov_len, MSG_NOSIGNAL)",
        "::send(fd, buffers[0].iov_base, buffers[0].iov_len, 0)"),
    bug("B44", "reactor/kernel_posix.cpp", "::sigtimedwait(&pipe, nullptr, &at_once);", ""),
    bug("B45", "net/socket_transport.cpp", "if (send_gathered()) end(nullptr);",
        "if (send_gathered()) lose();"),
    bug("B46", "net/socket_transport.cpp",
        "loop().ready().push(turn());", "lose();"),
    bug("B47", "streams/stream_writer.cpp",
        "if (writer_->transport->is_closing() || writer_->must_wait()) return false;",
        "if (writer_->must_wait()) return false;"),
    bug("B47", "streams/flow_control_mixin.cpp", "detail::wake_all(drain_waiters_);",
        "if (!drain_waiters_.empty()) drain_waiters_.pop_front()->wake(nullptr);"),
    bug("B48", "streams/reader_state.cpp", "force_resume();", "",
        "void ReaderState::wait_unusually("),
    bug("B48", "net/flow_control.hpp", "if (!paused_ || size > limits().low) return false;",
        "if (!paused_ || size >= limits().low) return false;",
        compile_too=("net/socket_transport.cpp",)),
    bug("B49", "net/socket_transport.cpp", "SHUT_WR", "SHUT_RDWR"),
    bug("B50", "net/flow_control.hpp", "default_high_bytes = 64 * 1024",
        "default_high_bytes = 64 * 1024 * 1024"),
    bug("B50", "streams/stream_reader.hpp", "default_limit_bytes = 64 * 1024",
        "default_limit_bytes = 64 * 1000"),
    bug("B51", "net/write_buffer.cpp",
        "if (more > static_cast<std::size_t>(PTRDIFF_MAX) - sizeof(Block) - kept)\n"
        "    throw std::bad_alloc();", ""),
    bug("B51", "net/socket_transport.cpp",
        "if (piece.size() > SIZE_MAX - total) throw std::bad_alloc();", ""),
    bug("B53", "reactor/poller/poller_epoll.cpp", "if (error != 0) {",
        "if (error == EPERM) return 0; if (error != 0) {"),
    # 2.4 Reading, EOF, UDP
    bug("B54", "net/socket_transport_reading.cpp", "const std::span<char> room = block_.room();",
        "const std::span<char> room = block_.room(); socket_.get_option(SOL_SOCKET, SO_ERROR);"),
    bug("B55", "streams/reader_state.cpp", "eof_ = true;",
        "eof_ = true; buffer_.consume(buffer_.size());", "void ReaderState::feed_eof("),
    bug("B56", "reactor/kernel_posix.cpp", "if (buffers.empty()) return {0, EINVAL};", ""),
    bug("B57", "streams/reader_state.cpp",
        "verdict == Verdict::overrun_found ? amount() + 1 : buffer_.size()",
        "verdict == Verdict::overrun_found ? amount() + 1 : buffer_.size() - 1"),
    bug("B58", "streams/reader_state.cpp", "if (amount() > cap()) return Verdict::over_cap;", ""),
    bug("B59", "streams/stream_writer.cpp",
        "loop->ready().push(*this);", "delete this;"),
    bug("B88", "reactor/poller/poller_epoll.cpp", "control(EPOLL_CTL_DEL, fd, after);",
        "control(EPOLL_CTL_MOD, fd, after);"),
    bug("B89", "net/socket_transport_reading.cpp", "if (got.would_block()) return;",
        "if (got.would_block() || got.error == ETIMEDOUT) return;"),
    # 2.7 Futures, coroutines, compilers
    bug("B76", "net/server.hpp", "bool keep_alive = false;",
        "bool keep_alive = false; std::string name{};", refused=True),
    bug("B77", "reactor/task/promise.hpp",
        "if (address > memory && address - memory < sizeof(PromiseBase)) [[unlikely]]",
        "if (address == 0)"),
    bug("B78", "reactor/task/task_base.hpp", "if (depth_ >= max_inline_depth)",
        "if (depth_ < 0)"),
    bug("B79", "reactor/task/run_in_executor.hpp",
        "static_cast<void>(delivery_.send());",
        "const std::unique_ptr<JobReceiver<T>> receiver(link_->receiver); "
        "if (receiver) receiver->receive(std::move(job_->outcome));"),
    bug("B80", "reactor/task/coro.hpp", "promise.finished = true;",
        "promise.finished = true; if (promise.parent == nullptr) return finished.destroy();"),
    bug("B81", "streams/stream_reader_protocol.cpp",
        "ClientTask::start(loop, std::move(*client), transport, client_connected_);",
        "ClientTask::start(loop, std::move(*client), transport, ClientConnected());"),
    bug("B82", "reactor/task/future_base.cpp",
        "token->loop->ready().push(waiter); waiter.future = Ref<FutureBase>(this);",
        "waiter.future = Ref<FutureBase>(this); waiter.run();"),
    bug("B83", "reactor/task/run_coroutine_threadsafe.cpp",
        "if (self->status_ != Status::pending) return self->status_ == Status::cancelled;", ""),
    bug("B84", "reactor/task/future_base.cpp",
        "if (done()) throw InvalidStateError(\"invalid state\");", ""),
    bug("B85", "reactor/task/task_base.cpp",
        "parked_ != nullptr ? parked_->waiter : next_ != nullptr ? next_ : outermost_",
        "outermost_"),
    bug("B86", "reactor/task/future_base.cpp", "if (exception_unseen) report_unseen();", ""),
    bug("B87", "tests/probes/test_done.cpp", "at = {handle().done(), finished, true};",
        "at = {handle().done(), handle().done(), true};"),
)
