// SPDX-License-Identifier: MIT
#include <weir/reactor/place.hpp>

#include <cstddef>

namespace weir::detail {
namespace {

constexpr std::string_view call_operator = "operator()";

void replace_all(std::string& text, std::string_view part, std::string_view by) {
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at)) {
    text.replace(at, part.size(), by);
    at += by.size();
  }
}

/// Behind the bracket that closes the one at `start`; the end of the text if none does.
std::size_t behind_closing(std::string_view text, std::size_t start) {
  int depth = 0;
  for (std::size_t at = start; at < text.size(); ++at) {
    if (text[at] == '(') ++depth;
    if (text[at] == ')' && --depth == 0) return at + 1;
  }
  return text.size();
}

/// g++ says "f()::<lambda(int)>", in a coroutine with "::operator()" behind it.
void name_lambdas(std::string& name) {
  replace_all(name, "(anonymous class)::operator()", "lambda");
  constexpr std::string_view lambda = "<lambda(";
  for (std::size_t at = name.find(lambda); at != std::string::npos; at = name.find(lambda)) {
    name.replace(at, behind_closing(name, at + lambda.size() - 1) + 1 - at, "lambda");
    const std::string_view rest = std::string_view(name).substr(at + 6);
    if (rest.starts_with("::operator()")) name.erase(at + 6, 2 + call_operator.size());
  }
}

void erase_parameters(std::string& name) {
  std::size_t at = 0;
  while ((at = name.find('(', at)) != std::string::npos) {
    const bool is_name = at >= 8 && name.compare(at - 8, call_operator.size(), call_operator) == 0;
    if (is_name) {
      at += 2;
    } else {
      name.erase(at, behind_closing(name, at) - at);
    }
  }
}

/// Behind the last space that no template argument holds.
std::size_t start_of_name(std::string_view name) {
  int depth = 0;
  for (std::size_t at = name.size(); at > 0; --at) {
    const char letter = name[at - 1];
    if (letter == '>') ++depth;
    if (letter == '<') --depth;
    if (letter == ' ' && depth == 0) return at;
  }
  return 0;
}

}  // namespace

// g++ says "weir::Coro<> ns::f(ns::f(int)::_Z1fi.Frame*)", clang "Coro<> ns::f(int)", both with
// "[with T = int]" or "[T = int]" behind it.
std::string short_function_name(std::string_view pretty) {
  std::string name(pretty.substr(0, pretty.find(" [")));
  replace_all(name, "{anonymous}::", "");
  replace_all(name, "(anonymous namespace)::", "");
  name_lambdas(name);
  erase_parameters(name);
  while (name.ends_with(" const")) name.resize(name.size() - 6);
  return name.substr(start_of_name(name));
}

std::string describe_place(const std::source_location& place) {
  return short_function_name(place.function_name()) + " (" + place.file_name() + ":" +
         std::to_string(place.line()) + ")";
}

std::string describe_stack(std::span<const std::source_location> stack) {
  std::string text;
  for (const std::source_location& place : stack) {
    if (!text.empty()) text += ", ";
    text += describe_place(place);
  }
  return text;
}

std::source_location users_place(std::span<const std::source_location> stack) {
  for (const std::source_location& place : stack) {
    if (!short_function_name(place.function_name()).starts_with("weir::detail::")) return place;
  }
  return stack.empty() ? std::source_location() : stack.front();
}

}  // namespace weir::detail
