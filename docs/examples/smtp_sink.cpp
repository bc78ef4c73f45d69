// SPDX-License-Identifier: MIT
// Takes all mail that it is given, for the tests of programs that send some:
//
//     ./smtp_sink [--port PORT] [--folder PATH] [--size BYTES] [--patience MS]
//     swaks --server 127.0.0.1:2525 --to ada@example.org
//
// Says a line for each mail, and writes it to PATH/1.eml, PATH/2.eml, … if there is a PATH.
//
// What there is to learn: a mail is one record, readuntil("\r\n.\r\n"). Servers that took "\n.\n"
// or "\r\n.\n" for its end as well were made to read the rest of a mail as commands, in the name of
// whoever had sent it (SMTP smuggling, 2023). Here nothing else is an end, and half a line end is
// refused. One that is too long is discarded as it comes, and the next command is understood.
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <span>

#include <weir/streams/streams.hpp>

namespace {

constexpr std::ptrdiff_t line_bytes = 2048;       // The longest command.
constexpr std::size_t most_recipients = 100;      // Of one mail.
constexpr std::string_view end = "\r\n.\r\n";     // Of a mail.
constexpr std::chrono::seconds farewell_time(1);  // For the last word to be read.

// ---- Mails. Nothing here knows a network.

/// What a client has said about the mail that is to come.
struct Envelope {
  std::optional<std::string> sender;  // Empty is one, too: "<>", of mail about mail.
  std::vector<std::string> recipients;
};

/// A "\r" or "\n" without the other: where others might see the end of a line.
bool has_half_line_end(std::string_view text) {
  for (std::size_t i = text.find_first_of("\r\n"); i < text.size();
       i = text.find_first_of("\r\n", i + 2)) {
    if (text.substr(i, 2) != "\r\n") return true;
  }
  return false;
}

/// A line that begins with a dot is sent with one more: "." alone is no text.
std::string without_stuffing(std::string_view text) {
  std::string plain;
  for (std::size_t at = text.find("\r\n."); at != text.npos; at = text.find("\r\n.")) {
    plain += text.substr(0, at + 2);
    text.remove_prefix(at + 3);
  }
  return plain.append(text);
}

std::string upper(std::string_view text) {
  std::string large(text);
  for (char& c : large) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return large;
}

/// What is between "FROM:<" and ">", and the parameters after it; nothing if it is not like that.
struct Path {
  std::string address, parameters;
};
std::optional<Path> path_in(std::string_view argument, std::string_view keyword) {
  if (!upper(argument).starts_with(std::string(keyword) + ":<")) return std::nullopt;
  argument.remove_prefix(keyword.size() + 2);
  const std::size_t close = argument.find('>');
  if (close == argument.npos || argument.substr(0, close).find(' ') != argument.npos) {
    return std::nullopt;
  }
  return Path{std::string(argument.substr(0, close)), upper(argument.substr(close + 1))};
}

// ---- Clients

struct Client;
struct Site {
  std::string folder;
  std::ptrdiff_t size_limit = 0;
  std::chrono::milliseconds patience{};
  int mails = 0;
  bool draining = false;
  std::set<Client*> clients;
};

/// A connection: lives in the frame of serve_client().
struct Client {
  Client(Site* its_site, weir::StreamReader its_reader, weir::StreamWriter its_writer)
      : site(its_site), reader(std::move(its_reader)), writer(std::move(its_writer)) {
    site->clients.insert(this);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { site->clients.erase(this); }

  Site* site;
  weir::StreamReader reader;
  weir::StreamWriter writer;
  bool greeted = false;
  bool waiting = false;  // For a command, and nothing has been begun: it may be sent home.
  Envelope envelope;
};

/// Answers to the commands that only change the envelope.
std::string hear_sender(Client& client, std::string_view argument) {
  const std::optional<Path> path = path_in(argument, "FROM");
  if (!client.greeted || client.envelope.sender) return "503 5.5.1 not now\r\n";
  if (!path) return "501 5.5.4 MAIL FROM:<address>, please\r\n";
  const std::size_t size = path->parameters.find(" SIZE=");
  if (size != std::string::npos &&
      std::strtoll(path->parameters.c_str() + size + 6, nullptr, 10) > client.site->size_limit) {
    return "552 5.3.4 this is too large\r\n";
  }
  client.envelope.sender = path->address;
  return "250 2.1.0 ok\r\n";
}

std::string hear_recipient(Client& client, std::string_view argument) {
  const std::optional<Path> path = path_in(argument, "TO");
  if (!client.envelope.sender) return "503 5.5.1 not now\r\n";
  if (!path || path->address.empty()) return "501 5.5.4 RCPT TO:<address>, please\r\n";
  if (client.envelope.recipients.size() == most_recipients) return "452 4.5.3 too many\r\n";
  client.envelope.recipients.push_back(path->address);
  return "250 2.1.5 ok\r\n";
}

/// Writes the mail where it belongs, in a thread of the loop's pool: disks may be slow.
weir::Coro<bool> keep(Site* site, const Envelope* envelope, std::string mail) {
  const std::string number = std::to_string(++site->mails);
  std::string recipients;
  for (const std::string& address : envelope->recipients) recipients += " <" + address + ">";
  std::printf("mail %s from <%s> to%s: %zu bytes\n", number.c_str(), envelope->sender->c_str(),
              recipients.c_str(), mail.size());
  std::fflush(stdout);
  if (site->folder.empty()) co_return true;
  const auto save = [path = site->folder + "/" + number + ".eml", mail = std::move(mail)] {
    return static_cast<bool>(std::ofstream(path, std::ios::binary) << mail << std::flush);
  };
  co_return co_await weir::get_running_loop().run_in_executor(save);
}

/// The mail itself, and what is said to it.
weir::Coro<std::string> take_mail(Client* client) {
  client->writer.write("354 end with <CR><LF>.<CR><LF>\r\n");
  // The line end after DATA is the first half of the end of a mail without any text. It has been
  // read, so it is put back.
  client->reader.unread("\r\n");
  std::string mail;
  try {
    mail = co_await client->reader.readuntil(end, {.limit = client->site->size_limit});
  } catch (const weir::LimitOverrunError&) {  // A catch block cannot co_await: it goes on below.
  }
  if (mail.empty()) {
    co_await client->reader.discard_until(end);
    co_return "552 5.3.4 this is too large\r\n";
  }
  if (has_half_line_end(mail)) co_return "550 5.6.0 lines end with <CR><LF>\r\n";
  mail.resize(mail.size() - 3);  // The line end before the dot is the text's.
  mail = without_stuffing(mail).substr(2);
  const bool kept = co_await keep(client->site, &client->envelope, std::move(mail));
  co_return kept ? "250 2.0.0 taken\r\n" : "452 4.3.1 there is no room\r\n";
}

std::string extensions(const Client& client) {
  return "250-weir\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE " +
         std::to_string(client.site->size_limit) + "\r\n";
}

/// The answer to all commands but DATA and QUIT.
std::string answer(Client& client, const std::string& verb, std::string_view argument) {
  if (verb == "MAIL") return hear_sender(client, argument);
  if (verb == "RCPT") return hear_recipient(client, argument);
  if (verb == "NOOP") return "250 2.0.0 ok\r\n";
  if (verb == "VRFY") return "252 2.1.5 who knows\r\n";
  const bool greets = verb == "EHLO" || verb == "HELO";
  if (!greets && verb != "RSET") return "500 5.5.2 what?\r\n";
  if (greets && argument.empty()) return "501 5.5.4 who is there?\r\n";
  client.envelope = {};
  client.greeted |= greets;
  return verb == "EHLO" ? extensions(client) : "250 2.0.0 ok\r\n";
}

/// A line, without its end; empty if it was too long, or had half a line end in it.
weir::Coro<std::string> read_command(Client* client) {
  client->waiting = !client->envelope.sender;
  std::string line;
  try {
    line = co_await client->reader.readuntil("\r\n", {.limit = line_bytes});
  } catch (const weir::LimitOverrunError&) {
  }
  if (line.empty()) co_await client->reader.discard_until("\r\n");
  client->waiting = false;
  if (has_half_line_end(line)) line.clear();
  co_return line.substr(0, line.find("\r\n"));
}

/// False for QUIT. Commands may come together (PIPELINING): their answers then leave together.
weir::Coro<bool> serve_command(Client* client) {
  const std::string line = co_await read_command(client);
  const std::string verb = upper(line.substr(0, line.find(' ')));
  const std::string argument = line.substr(std::min(line.size(), verb.size() + 1));
  std::string reply;
  if (verb == "QUIT") {
    client->writer.write("221 2.0.0 bye\r\n");
    co_return false;
  }
  if (verb == "DATA" && client->envelope.recipients.empty()) {
    reply = "503 5.5.1 for whom?\r\n";
  } else if (verb == "DATA") {
    reply = co_await take_mail(client);
    client->envelope = {};
  } else {
    reply = answer(*client, verb, argument);
  }
  client->writer.write(reply);
  co_return true;
}

weir::Coro<> serve_client(Site* site, weir::StreamReader reader, weir::StreamWriter writer) {
  Client client(site, reader, writer);
  reader.set_read_timeout(site->patience);
  writer.set_write_timeout(site->patience);
  try {
    writer.write("220 weir takes all mail\r\n");
    for (bool more = true; more;) {
      more = co_await serve_command(&client);
      if (more && site->draining && !client.envelope.sender) {
        writer.write("421 4.3.2 no more today\r\n");
        more = false;
      }
      co_await writer.drain();  // Waits only for a client that does not hear its answers.
    }
  } catch (const weir::TimeoutError&) {
    writer.write("421 4.4.2 too slow\r\n");
  } catch (const weir::EOFError&) {  // The client has gone, or
  } catch (const weir::OSError&) {   // the connection is lost.
  }
  co_await writer.close_within(farewell_time);
}

/// Nobody new comes in, who waits is sent home, who has begun a mail may finish it.
void drain(Site* site, const weir::Server& server) {
  server.close();
  site->draining = true;
  for (const Client* client : site->clients) {
    if (!client->waiting || client->reader.buffered_bytes() > 0) continue;
    client->writer.write("421 4.3.2 no more today\r\n");
    client->writer.close();
  }
  weir::get_running_loop().call_later(site->patience, [server] { server.abort_clients(); });
}

weir::Coro<> serve(Site* site, int port) {
  const auto on_client = std::bind_front(serve_client, site);
  const weir::Server server = co_await weir::start_server(on_client, "127.0.0.1", port);
  for (const int number : {SIGINT, SIGTERM}) {
    weir::get_running_loop().add_signal_handler(number, [=] { drain(site, server); });
  }
  std::printf("listening on 127.0.0.1:%d\n", server.sockets().front().getsockname().port());
  std::fflush(stdout);
  // Closed by drain(), it waits for those who are still there, and then throws CancelledError.
  const weir::Outcome<> ended = co_await weir::outcome(server.serve_forever());
  if (!ended.cancelled()) ended.value();
}

/// What follows `name` on the command line.
const char* option(std::span<char*> words, std::string_view name, const char* otherwise) {
  const auto found = std::ranges::find(words, name);
  return words.end() - found > 1 ? found[1] : otherwise;
}

}  // namespace

int main(int argc, char** argv) {
  const std::span words(argv, static_cast<std::size_t>(argc));
  Site site;
  site.folder = option(words, "--folder", "");
  site.size_limit = std::max(1L, std::atol(option(words, "--size", "10485760")));
  site.patience = std::chrono::milliseconds(std::atol(option(words, "--patience", "300000")));
  return weir::run(serve(&site, std::atoi(option(words, "--port", "2525"))));
}
