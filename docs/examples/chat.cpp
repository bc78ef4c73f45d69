// SPDX-License-Identifier: MIT
// Rooms full of people, one line a message. Talk to it with nc:
//
//     ./chat [PORT]                       PORT 0, the default, lets the kernel choose
//     nc 127.0.0.1 PORT
//     /name ada      /join kitchen      /who      /quit      anything else is said to the room
//
// What there is to learn: a message goes to everybody by write(), which never waits. Awaiting
// drain() for each listener would make the room as slow as its slowest member. Somebody who never
// reads costs the server at most backlog_bytes, and is then shown the door.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <weir/streams/streams.hpp>

namespace {

constexpr std::size_t line_bytes = 4096;        // The longest line that somebody may send.
constexpr std::size_t backlog_bytes = 1 << 20;  // What we keep for somebody who does not read.

/// Somebody who is here: lives in the frame of talk().
struct Member {
  Member(weir::StreamWriter its_writer, std::string its_name)
      : writer(std::move(its_writer)), name(std::move(its_name)) {}
  weir::StreamWriter writer;
  std::string name;
  std::string room;
};

/// All rooms. One thread, and nobody else runs between two co_awaits: no locks.
class Chat {
 public:
  /// One client, from hello to goodbye.
  weir::Coro<> talk(weir::StreamReader reader, weir::StreamWriter writer) {
    Member member(writer, "guest" + std::to_string(++guests_));
    const Presence presence(*this, member);
    tell(member, "you are " + member.name + ", in the lobby");
    try {
      while (co_await next_command(reader, &member)) {
        co_await writer.drain();  // Who does not read is not listened to either.
      }
    } catch (const weir::OSError&) {
      // Gone, or cut off by say(); or the system has no memory for this connection.
    }
    writer.close();
  }

 private:
  /// However talk() ends, its member is in no room afterwards.
  class Presence {
   public:
    Presence(Chat& chat, Member& member) : chat_(chat), member_(member) {
      chat_.enter(member, "lobby");
    }
    Presence(const Presence&) = delete;
    Presence& operator=(const Presence&) = delete;
    ~Presence() { chat_.leave(member_); }

   private:
    Chat& chat_;
    Member& member_;
  };

  /// Reads a line and does what it says; false when the client has gone.
  weir::Coro<bool> next_command(weir::StreamReader reader, Member* member) {
    try {
      std::string_view line = co_await reader.readline_view();
      if (!line.ends_with('\n')) co_return false;  // The end, perhaps in the middle of a line.
      line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
      co_return obey(*member, line);
    } catch (const weir::ValueError&) {
      tell(*member, "a line has at most " + std::to_string(line_bytes) + " bytes");
    }
    co_return true;
  }

  /// False for /quit. `line` is a view into the reader: it ends at the next co_await, none is here.
  bool obey(Member& member, std::string_view line) {
    const std::string_view command = line.substr(0, line.find(' '));
    const std::string_view argument = line.substr(std::min(line.size(), command.size() + 1));
    if (!line.starts_with('/')) {
      if (!line.empty()) say(member.room, member.name + ": " + std::string(line));
    } else if (command == "/quit") {
      return false;
    } else if (command == "/who") {
      tell(member, "here: " + names(member.room));
    } else if (argument.empty()) {
      tell(member, "what you can do: /name NAME, /join ROOM, /who, /quit");
    } else if (command == "/name") {
      say(member.room, "* " + member.name + " is now " + std::string(argument));
      member.name = argument;
    } else if (command == "/join") {
      leave(member);
      enter(member, std::string(argument));
    } else {
      tell(member, "there is no " + std::string(command));
    }
    return true;
  }

  void enter(Member& member, std::string room) {
    say(room, "* " + member.name + " has come");
    member.room = std::move(room);
    rooms_[member.room].push_back(&member);
  }
  void leave(Member& member) {
    const auto room = rooms_.find(member.room);
    std::erase(room->second, &member);
    if (room->second.empty()) {
      rooms_.erase(room);
    } else {
      say(member.room, "* " + member.name + " has gone");
    }
  }
  std::string names(const std::string& room) const {
    std::string list;
    for (const Member* member : rooms_.at(room)) {
      list.append(list.empty() ? "" : ", ").append(member->name);
    }
    return list;
  }

  /// To everybody in the room. Whoever has not read the last MiB is cut off: its read ends, and
  /// with it talk(), later. Nobody leaves a room inside this loop.
  void say(const std::string& room, const std::string& text) {
    const auto found = rooms_.find(room);
    if (found == rooms_.end()) return;
    for (Member* member : found->second) {
      member->writer.writelines({text, "\n"});
      weir::Transport& transport = *member->writer.transport();
      if (transport.get_write_buffer_size() > backlog_bytes) transport.abort();
    }
  }
  static void tell(Member& member, const std::string& text) {
    member.writer.writelines({"* ", text, "\n"});
  }

  std::map<std::string, std::vector<Member*>> rooms_;  // As they came.
  int guests_ = 0;
};

weir::Coro<> serve(Chat* chat, int port) {
  const auto talk = [chat](weir::StreamReader reader, weir::StreamWriter writer) {
    return chat->talk(std::move(reader), std::move(writer));
  };
  const weir::Server server =
      co_await weir::start_server(talk, "127.0.0.1", port, {.limit = line_bytes});
  std::printf("listening on 127.0.0.1:%d\n", server.sockets().front().getsockname().port());
  std::fflush(stdout);
  co_await server.serve_forever();
}

}  // namespace

int main(int argc, char** argv) {
  Chat chat;
  return weir::run(serve(&chat, argc > 1 ? std::atoi(argv[1]) : 0));
}
