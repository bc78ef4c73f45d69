// SPDX-License-Identifier: MIT
#include <bench/readuntil/samples.hpp>

#include <random>

namespace weir::bench {
namespace {

std::string number(std::mt19937_64& random, unsigned below) {
  return std::to_string(random() % below);
}

/// One part of a RESP command.
std::string bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

}  // namespace

std::string http_headers(std::size_t total_bytes) {
  std::mt19937_64 random(3);
  std::string bytes;
  while (bytes.size() < total_bytes) {
    bytes +=
        "GET /articles/" + number(random, 100000) + "?page=" + number(random, 50) +
        " HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; "
        "rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: text/html,application/xhtml+xml,"
        "application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-GB,en;q=0.5\r\n"
        "Accept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\nCookie: session=" +
        number(random, 1000000000) + number(random, 1000000000) + "; theme=dark\r\n" +
        (random() % 2 == 0 ? "If-None-Match: \"" + number(random, 1000000000) + "\"\r\n" : "") +
        "\r\n";
  }
  return bytes;
}

std::string json_lines(std::size_t total_bytes) {
  std::mt19937_64 random(4);
  const char* const levels[] = {"debug", "info", "warning", "error"};
  std::string bytes;
  while (bytes.size() < total_bytes) {
    bytes += "{\"time\": \"2026-11-22T10:" + number(random, 60) + ":" + number(random, 60) +
             "Z\", \"level\": \"" + levels[random() % 4] +
             "\", \"request\": " + number(random, 1000000) +
             ", \"took_ms\": " + number(random, 3000) + ", \"message\": \"" +
             std::string(random() % 120, 'm') + "\"}\n";
  }
  return bytes;
}

std::string resp_dump(std::size_t total_bytes) {
  std::mt19937_64 random(5);
  std::string bytes;
  while (bytes.size() < total_bytes) {
    const std::string key = "user:" + number(random, 100000);
    if (random() % 3 == 0) {
      bytes += "*3\r\n" + bulk("SET") + bulk(key) + bulk(std::string(random() % 200, 'v'));
    } else {
      bytes += "*2\r\n" + bulk("GET") + bulk(key);
    }
  }
  return bytes;
}

}  // namespace weir::bench
