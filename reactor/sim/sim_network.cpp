// SPDX-License-Identifier: MIT
#include <weir/reactor/sim/sim_network.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <string>

namespace weir::detail {
namespace {

constexpr TimePoint start = TimePoint(std::chrono::seconds(1000));  // SimKernel::start
constexpr Duration longest_latency = std::chrono::milliseconds(50);
constexpr Duration longest_call = std::chrono::milliseconds(1);

}  // namespace

SimNetwork::SimNetwork(std::uint64_t seed, const SimOptions& its_options)
    : now(start), random(seed), options(its_options), no_fds_until(start) {}

bool SimNetwork::strikes(SimFault fault) noexcept {
  if (!random.per_mille(options.rate(fault))) return false;
  ++injected[static_cast<std::size_t>(fault)];
  return true;
}

// ---- Time

void SimNetwork::pass_time() {
  if (strikes(SimFault::slow_calls)) now += random.up_to(longest_call);
  run_due();
}

void SimNetwork::run_due() {
  while (!events_.empty() && events_.begin()->first.first <= now) {
    const Event event = std::move(events_.begin()->second);
    events_.erase(events_.begin());
    happen(event);
  }
}

std::optional<TimePoint> SimNetwork::next_event() const {
  if (events_.empty()) return std::nullopt;
  return events_.begin()->first.first;
}

void SimNetwork::advance_to(TimePoint when) {
  if (when <= now) return;
  trace.event(now, SimTrace::Event::clock, 0, (when - now).count());
  now = when;
}

void SimNetwork::heal() {
  options.rates.fill(0);
  no_fds_until = now;
  std::map<std::pair<TimePoint, std::uint64_t>, Event> waiting = std::exchange(events_, {});
  for (auto& [when, event] : waiting) add(now, std::move(event));
}

void SimNetwork::add(TimePoint when, Event event) {
  events_.emplace(std::pair(when, next_number_++), std::move(event));
}

void SimNetwork::happen(const Event& event) {
  switch (event.kind) {
    case Kind::segment: {
      if (event.socket->coming.empty()) return;  // A reset has swallowed it.
      SimSegment segment = std::move(event.socket->coming.front());
      event.socket->coming.pop_front();
      event.socket->coming_bytes -= segment.bytes.size();
      return deliver(event.socket, segment);
    }
    case Kind::connect: return connect_due(event.socket);
    case Kind::job: trace.event(now, SimTrace::Event::job, event.job, 0); return job_due(event.job);
  }
}

void SimNetwork::connect_after(const SimSocketPtr& client, Duration delay) {
  add(deadline_after(now, delay), {Kind::connect, client});
}

void SimNetwork::run_after(std::uint64_t job, Duration delay) {
  add(deadline_after(now, delay), {Kind::job, nullptr, job});
}

// ---- Connections

void SimNetwork::join(const SimSocketPtr& client, const SimSocketPtr& server) {
  client->id = streams.size();
  server->id = streams.size() + 1;
  streams.resize(streams.size() + 2);
  SimSocket::join(client, server);
  for (const SimSocketPtr& end : {client, server}) {
    if (strikes(SimFault::small_window)) end->capacity_bytes = random.between(1, 4096);
  }
}

SimStream* SimNetwork::stream_of(const SimSocket& socket) {
  return socket.id == no_stream ? nullptr : &streams[socket.id];
}

void SimNetwork::send_bytes(const SimSocketPtr& from, std::string bytes) {
  const SimSocketPtr to = from->peer.lock();
  if (to == nullptr) return send(from, {SimSegment::Kind::reset, {}});  // Nobody is there.
  if (bytes.size() > 1 && strikes(SimFault::latency)) {
    const std::size_t first = random.between(1, bytes.size() - 1);
    send(to, {SimSegment::Kind::bytes, bytes.substr(0, first)});
    bytes.erase(0, first);
  }
  send(to, {SimSegment::Kind::bytes, std::move(bytes)});
}

void SimNetwork::send_end(const SimSocketPtr& from) {
  if (SimStream* stream = stream_of(*from)) stream->end_sent = true;
  if (const SimSocketPtr to = from->peer.lock()) send(to, {SimSegment::Kind::end, {}});
}

void SimNetwork::send_reset(const SimSocketPtr& from) {
  const SimSocketPtr to = from->peer.lock();
  if (SimStream* stream = stream_of(*from)) stream->reset = true;
  if (to == nullptr) return;
  lose_some(to);
  send(to, {SimSegment::Kind::reset, {}});
}

void SimNetwork::cut(const SimSocketPtr& one) {
  const SimSocketPtr other = one->peer.lock();
  send_reset(one);
  if (other == nullptr) return;
  lose_some(one);
  send(one, {SimSegment::Kind::reset, {}});
}

/// What the sender had not got out is gone; what is under way may still come.
void SimNetwork::lose_some(const SimSocketPtr& to) {
  if (SimStream* stream = stream_of(*to)) stream->reset = true;
  if (!to->coming.empty() && to->coming.back().kind == SimSegment::Kind::reset) return;
  for (std::size_t lost = random.between(0, to->coming.size()); lost > 0; --lost) {
    to->coming_bytes -= to->coming.back().bytes.size();
    to->coming.pop_back();
  }
}

/// Between unix sockets nothing takes time; else nothing overtakes what was sent before.
void SimNetwork::send(const SimSocketPtr& to, SimSegment segment) {
  Duration delay{};
  if (to->family != AF_UNIX) {
    if (strikes(SimFault::latency)) delay += random.up_to(longest_latency);
    if (strikes(SimFault::pause)) delay += random.up_to(options.longest_pause);
  }
  if (delay == Duration::zero() && to->coming.empty()) return deliver(to, segment);
  to->last_arrival = std::max(to->last_arrival, deadline_after(now, delay));
  to->coming_bytes += segment.bytes.size();
  to->coming.push_back(std::move(segment));
  add(std::max(to->last_arrival, now), {Kind::segment, to});
}

void SimNetwork::deliver(const SimSocketPtr& to, const SimSegment& segment) {
  SimStream* stream = stream_of(*to);
  const auto bytes = static_cast<std::int64_t>(segment.bytes.size());
  const auto kind = segment.kind;
  constexpr SimTrace::Event events[] = {SimTrace::Event::bytes, SimTrace::Event::end,
                                        SimTrace::Event::reset};
  trace.event(now, events[static_cast<std::size_t>(kind)], to->id, bytes);
  const bool had_died = to->dead;
  if (!to->arrive(segment)) {
    // Bytes for somebody who has closed: he answers with a reset.
    if (stream != nullptr) stream->reset = true;
    to->dead = true;
    return send_reset(to);
  }
  if (stream == nullptr || had_died) return;
  if (kind == SimSegment::Kind::bytes) stream->arrived += static_cast<std::uint64_t>(bytes);
  if (kind == SimSegment::Kind::end) stream->end_arrived = true;
  if (kind == SimSegment::Kind::reset) stream->reset = true;
}

}  // namespace weir::detail
