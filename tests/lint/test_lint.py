# SPDX-License-Identifier: MIT
"""Each check finds what is planted for it in a copy of the tree, and passes the tree as it is."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PUBLIC = "// Public.\n// SPDX-License-Identifier: MIT\n#pragma once\n"
SOURCE = "// SPDX-License-Identifier: MIT\n"


class Copy(unittest.TestCase):
    """A test that may change its own copy of the tree."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name) / "weir"
        shutil.copytree(ROOT, self.root, ignore=shutil.ignore_patterns(".git", "build"))

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text(encoding="utf-8")
        self.assertIn(old, text, f"{path} has nothing to plant this in")
        self.write(path, text.replace(old, new, 1))

    def append(self, path: str, text: str) -> None:
        self.write(path, (self.root / path).read_text(encoding="utf-8") + text)

    def run_check(self, check: str, *paths: str) -> tuple[int, str]:
        result = subprocess.run(
            [sys.executable, self.root / f"tests/lint/check_{check}.py", *paths],
            capture_output=True, text=True, timeout=300, check=False)
        return result.returncode, result.stdout + result.stderr

    def assert_clean(self, check: str, *paths: str) -> None:
        status, output = self.run_check(check, *paths)
        self.assertEqual(status, 0, output[:1000])

    def assert_found(self, check: str, error: str, *paths: str) -> None:
        status, output = self.run_check(check, *paths)
        self.assertEqual(status, 1, output)
        self.assertIn(error, output)


class Layers(Copy):
    def test_the_tree_is_clean(self):
        self.assert_clean("layers")

    def test_an_include_of_a_higher_folder_is_found(self):
        self.append("reactor/error.cpp", "#include <weir/net/transport.hpp>\n")
        self.assert_found("layers", "net/transport.hpp builds on reactor/error.cpp")

    def test_an_include_of_a_later_file_of_the_folder_is_found(self):
        self.append("reactor/clock.hpp", "#include <weir/reactor/event_loop.hpp>\n")
        self.assert_found("layers", "reactor/event_loop.hpp builds on reactor/clock.hpp")

    def test_a_quoted_include_is_found(self):
        self.append("reactor/error.cpp", '#include "error.hpp"\n')
        self.assert_found("layers", "write <weir/...>")

    def test_an_include_of_the_tests_is_found(self):
        self.append("reactor/error.cpp", "#include <tests/probes/probe.hpp>\n")
        self.assert_found("layers", "builds on the library")

    def test_a_file_without_a_place_in_the_order_is_found(self):
        self.write("net/planted.hpp", PUBLIC)
        self.assert_found("layers", "net/planted.hpp:1: add it to tests/lint/layers.txt")

    def test_a_place_without_a_file_is_found(self):
        self.append("tests/lint/layers.txt", "streams/planted\n")
        self.assert_found("layers", "streams/planted has no file")

    def test_the_command_fails_and_counts(self):
        self.append("reactor/error.cpp", "#include <weir/net/transport.hpp>\n")
        result = subprocess.run([self.root / "dev", "lint", "layers"], capture_output=True,
                                text=True, timeout=300, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertTrue(result.stdout.endswith("\n0 passed, 1 failed\n"), result.stdout)


class Headers(Copy):
    def test_a_header_that_compiles_alone_passes(self):
        self.assert_clean("headers", "reactor/error.hpp")

    def test_a_header_that_does_not_compile_alone_is_found(self):
        self.write("reactor/planted.hpp", PUBLIC + "std::string forgot_to_include();\n")
        self.assert_found("headers", "does not compile alone", "reactor/planted.hpp")

    def test_a_header_with_a_warning_is_found(self):
        self.write("reactor/planted.hpp", PUBLIC + "inline int f(long x) { return x; }\n")
        self.assert_found("headers", "does not compile alone", "reactor/planted.hpp")

    def test_a_source_that_includes_another_header_first_is_found(self):
        self.replace("reactor/error.cpp", "#include", "#include <vector>\n#include")
        self.assert_found("headers", "include <weir/reactor/error.hpp> first", "reactor/error.cpp")

    def test_a_back_end_includes_the_header_that_it_implements_first(self):
        self.replace("reactor/kernel_posix.cpp", "#include", "#include <vector>\n#include")
        self.assert_found("headers", "include <weir/reactor/kernel.hpp> first",
                          "reactor/kernel_posix.cpp")


class Confined(Copy):
    def test_the_tree_is_clean(self):
        self.assert_clean("confined")

    def test_a_system_header_outside_its_file_is_found(self):
        for header in ("sys/epoll.h", "poll.h", "sys/eventfd.h", "sys/socket.h", "netdb.h"):
            self.append("reactor/error.cpp", f"#include <{header}>\n")
            self.assert_found("confined", f"<{header}> belongs in")

    def test_a_preprocessor_condition_is_found(self):
        self.append("reactor/event_loop.cpp", "#ifdef __linux__\n#endif\n")
        self.assert_found("confined", "no #if here")


class Style(Copy):
    def test_the_tree_is_clean(self):
        self.assert_clean("style")

    def test_a_header_without_an_audience_is_found(self):
        self.write("net/planted.hpp", "// SPDX-License-Identifier: MIT\n#pragma once\n")
        self.assert_found("style", 'net/planted.hpp:1: begin with "// Public."')

    def test_a_header_without_a_guard_is_found(self):
        self.write("net/planted.hpp", PUBLIC.replace("#pragma once\n", ""))
        self.assert_found("style", "no #pragma once")

    def test_a_file_without_a_licence_is_found(self):
        self.write("net/planted.cpp", "// Nothing here.\n")
        self.assert_found("style", "net/planted.cpp:1: no SPDX")

    def test_an_overlong_line_is_found(self):
        self.append("reactor/error.cpp", f"// {'x' * 98}\n")
        self.assert_found("style", "101 columns")

    def test_leftovers_are_found(self):
        for words in ("TO" "DO later", "FIX" "ME", "XX" "X"):
            self.append("reactor/error.cpp", f"// {words}\n")
            self.assert_found("style", "a leftover")

    def test_a_todo_with_an_issue_is_allowed(self):
        self.append("reactor/error.cpp", "// TO" "DO (#7): here.\n")
        self.assert_clean("style")

    def test_an_overlong_file_is_found(self):
        self.write("net/planted.cpp", SOURCE + "\n" * 450)
        self.assert_found("style", "451 lines, 450 allowed")
        self.write("net/planted.hpp", PUBLIC + "\n" * 300)
        self.assert_found("style", "303 lines, 300 allowed")

    def test_a_silenced_test_is_found(self):
        case = 'TEST_CASE("planted" * doctest::ski' + 'p()) {}\n'
        self.write("tests/net/test_planted.cpp", SOURCE + case)
        self.assert_found("style", "a silenced test tests nothing")


class Build(Copy):
    def test_the_tree_is_clean(self):
        self.assert_clean("build")

    def test_a_source_that_is_never_compiled_is_found(self):
        for path in ("net/planted.cpp", "tests/net/test_planted.cpp", "docs/examples/planted.cpp"):
            self.write(path, SOURCE)
            self.assert_found("build", f"{path}:1: in no meson.build")

    def test_a_public_header_that_is_not_installed_is_found(self):
        self.write("net/planted.hpp", PUBLIC)
        self.assert_found("build", "net/planted.hpp:1: public, but not in install_headers")

    def test_an_installed_header_that_needs_another_one_is_found(self):
        self.write("net/planted.hpp", PUBLIC.replace("Public.", "Internal: used by nobody."))
        self.append("reactor/clock.hpp", "#include <weir/net/planted.hpp>\n")
        self.assert_found("build", "installed, but net/planted.hpp is not")

    def test_an_installed_header_that_a_shared_library_hides_is_found(self):
        self.replace("net/server.hpp", "namespace WEIR_API weir {", "namespace weir {")
        self.assert_found("build", "installed: write namespace WEIR_API weir {")

    def test_a_header_that_is_shown_but_not_installed_is_found(self):
        self.replace("net/listener.hpp", "namespace weir::detail {", "namespace WEIR_API weir {")
        self.assert_found("build", "shown by a shared library, but not installed")


class Signposts(Copy):
    def plant(self, old: str, new: str) -> None:
        """Replaces text in the one file that has it."""
        for folder in ("reactor", "net", "streams"):
            for path in sorted((self.root / folder).rglob("*.cpp")):
                if old in path.read_text(encoding="utf-8"):
                    self.replace(path.relative_to(self.root).as_posix(), old, new)
                    return
        self.fail(f"nothing says {old}")

    def test_the_tree_is_clean(self):
        self.assert_clean("signposts")

    def test_a_missing_number_is_found(self):
        self.plant("BYTE 3/7:", "BYTE, step three:")
        self.assert_found("signposts", "BYTE 3/7 is missing")

    def test_a_number_that_stands_twice_is_found(self):
        self.plant("BYTE 3/7:", "BYTE 2/7:")
        self.assert_found("signposts", "stands at")

    def test_a_signpost_to_a_function_that_is_gone_is_found(self):
        self.plant("Next: EventLoop::dispatch", "Next: EventLoop::despatch")
        self.assert_found("signposts", "which is not there")

    def test_a_signpost_to_the_wrong_function_is_found(self):
        self.plant("Next: EventLoop::dispatch", "Next: EventLoop::run_once")
        self.assert_found("signposts", "but the next number is at EventLoop::dispatch")

    def test_a_function_that_was_renamed_is_found(self):
        self.plant("void EventLoop::dispatch(", "void EventLoop::hand_out(")
        self.assert_found("signposts", "points to EventLoop::dispatch")


class Names(Copy):
    def plant(self, declaration: str) -> None:
        self.append("net/server.cpp", "namespace weir {\n" + declaration + "}\n")

    def test_the_tree_is_clean(self):
        self.assert_clean("names")

    def test_a_function_that_another_source_has_is_found(self):
        self.plant("namespace {\nint interleaved(char) { return 1; }\n}\n")
        self.assert_found("names", "interleaved is also in net/connect.cpp")

    def test_static_counts_as_unnamed(self):
        self.plant("[[maybe_unused]] static const int interleaved = 1;\n")
        self.assert_found("names", "interleaved is also in net/connect.cpp")

    def test_an_alias_that_another_source_has_is_found(self):
        self.plant("using Addresses = int;\n")
        self.assert_found("names", "Addresses is also in net/connect.cpp")

    def test_a_type_with_the_name_of_one_in_a_header_is_found(self):
        self.plant("namespace {\nclass [[nodiscard]] EventLoop final { int x{}; };\n}\n")
        self.assert_found("names", "EventLoop is also in reactor/event_loop.hpp")

    def test_a_namespace_of_its_own_keeps_a_name_apart(self):
        self.plant("namespace planted {\nnamespace {\nint interleaved = 1;\n}\n}\n")
        self.assert_clean("names")


class Messages(Copy):
    TABLE = "tests/messages.tsv"
    TEST = "tests/streams/test_stream_reader.cpp: set_transport: twice is an assertion"

    def assert_row(self, row: str, error: str) -> None:
        """A table with this one row."""
        self.write(self.TABLE, f"text\tsection\ttype\ttest\tnote\n{row}\n")
        if error:
            self.assert_found("messages", f"{self.TABLE}:2: {error}")
        else:
            self.assert_clean("messages")

    def test_the_tree_is_clean(self):
        self.assert_clean("messages")

    def test_a_missing_table_is_found(self):
        (self.root / self.TABLE).unlink()
        self.assert_found("messages", "there is no such file")

    def test_a_missing_header_is_found(self):
        self.replace(self.TABLE, "text\tsection\ttype\ttest\tnote\n", "")
        self.assert_found("messages", f"{self.TABLE}:1: the first line names the columns")

    def test_a_missing_column_is_found(self):
        self.assert_row(f"Transport already set\t1.2\tAssertionError\t{self.TEST}", "4 columns")
        self.assert_row(f"Transport already set\t\tAssertionError\t{self.TEST}\t", "no section")

    def test_a_test_that_is_not_there_is_found(self):
        row = "Transport already set\t1.2\tAssertionError\t"
        self.assert_row(f"{row}{self.TEST}\t", "")
        self.assert_row(f"{row}tests/streams/planted.cpp: x\t", "there is no tests/streams/plant")
        self.assert_row(f"{row}{self.TEST}, or so\t", "tests/streams/test_stream_reader.cpp has no")
        self.assert_row(f"{row}tests/system/test_hello.py: test_planted\t", "tests/system/test_hel")
        self.assert_row(f"{row}later\t", '"later" is neither a test nor')

    def test_a_renamed_test_is_found(self):
        self.replace("tests/streams/test_stream_reader.cpp", "set_transport: twice is", "twice is")
        self.assert_found("messages", "set_transport: twice is an assertion")

    def test_a_text_that_the_library_does_not_say_is_found(self):
        row = f"1.2\tAssertionError\t{self.TEST}"
        self.assert_row(f"Transport already {{x}}\t{row}\t", "")
        self.assert_row(f"Transport is set {{x}}\t{row}\t", "no string of the library says")
        self.assert_row(f"Transport is set\t{row}\tweir: Transport already {{x}}", "")
        self.assert_row("Planted\t1.2\tRuntimeError\tnot built yet: planting\t", "")

    def test_a_text_in_a_comment_only_is_found(self):
        self.replace("streams/reader_state.cpp", '"Transport already set"', '"Has one"')
        self.append("streams/reader_state.cpp", '// "Transport already set"\n')
        self.assert_found("messages", 'no string of the library says "Transport already set"')


class Coroutines(Copy):
    BAD = {
        "if": "if (co_await r.b()) {}",
        "while": "while (co_await r.b()) {}",
        "not empty": "while (!(co_await r.line()).empty()) {}",
        "do": "do { step(); } while (co_await r.b());",
        "for": "for (; co_await r.b();) {}",
        "switch": "switch (co_await r.n()) { default: break; }",
        "in a loop": "for (;;) { if ((co_await r.line()).empty()) break; }",
        "behind a statement": "step(); co_await r.b(); if (yes && co_await r.b()) {}",
        "if constexpr inside": "if constexpr (yes) { if (co_await r.b()) {} }",
    }
    GOOD = {
        "a local": "int n = 0; if (co_await r.b()) ++n;",
        "a local behind": "if (co_await r.b()) {} std::string s;",
        "a local of a template": "std::vector<int> v{1, 2}; while (co_await r.b()) {}",
        "a reference": "const auto& x = y; if (co_await r.b()) {}",
        "in the condition": "while (auto line = co_await r.next_line()) {}",
        "in the init": "if (int n = 1; co_await r.b()) {}",
        "in the for": "for (int i = 0; co_await r.b(); ++i) {}",
        "range for": "for (int n : co_await r.numbers()) { if (co_await r.b()) {} }",
        "try": "try { while (co_await r.b()) {} } catch (int) {}",
        "no condition": "co_await r.b(); while (yes) { co_await r.b(); }",
        "conditional expression": "co_await r.b() ? f() : g();",
    }

    def assert_shape(self, body: str, error: str) -> None:
        self.write("docs/examples/planted.cpp", f"{SOURCE}Coro<> f(R r) {{ {body} }}\n")
        if error:
            self.assert_found("coroutines", f"docs/examples/planted.cpp:2: {error}")
        else:
            self.assert_clean("coroutines")

    def test_the_tree_is_clean(self):
        self.assert_clean("coroutines")

    def test_a_condition_in_a_coroutine_that_declares_nothing_is_found(self):
        for name, body in self.BAD.items():
            with self.subTest(name):
                self.assert_shape(body, "co_await in a condition")

    def test_a_coroutine_that_declares_something_passes(self):
        for name, body in self.GOOD.items():
            with self.subTest(name):
                self.assert_shape(body, "")

    def test_a_closure_made_in_a_co_await_expression_is_found(self):
        self.assert_shape("int n = 0; co_await f([n] { g(n); });", "a closure that captures")
        self.assert_shape("int n = 0; co_await f(bind([=] { g(n); }), 1);", "a closure that captur")
        self.assert_shape("int n = 0; auto c = [n] { g(n); }; co_await f(c);", "")
        self.assert_shape("int n = 0; co_await f([&] { g(n); }); co_await h([] {});", "")

    def test_a_capturing_lambda_that_is_a_coroutine_is_found(self):
        self.assert_shape("auto c = [r]() -> Coro<> { co_return; };", "a lambda that captures")
        self.assert_shape("auto c = [](R r) -> Coro<> { co_return; };", "")

    def test_a_structured_binding_of_an_awaited_value_is_found(self):
        self.assert_shape("auto [a, b] = co_await r.pair();", "a structured binding")
        self.assert_shape("auto [a, b] = pair; co_await r.b();", "")

    def test_done_of_a_coroutine_handle_is_found(self):
        self.assert_shape("int n = 0; if (handle_.done()) ++n;", "done() of a handle")
        self.assert_shape("int n = 0; if (future.done()) ++n;", "")

    def test_a_shape_in_a_block_of_the_documentation_is_found(self):
        self.write("docs/planted.md", "Like this:\n\n```cpp\nCoro<> f(R r) {\n"
                   "  while (co_await r.b()) {}\n}\n```\n")
        self.assert_found("coroutines", "docs/planted.md:5: co_await in a condition")

    def test_a_shape_on_purpose_passes(self):
        self.write("tests/net/planted.cpp", f"{SOURCE}Coro<> f(R r) {{  // lint: shape on purpose\n"
                   "  if (co_await r.b()) {}\n}\n")
        self.assert_clean("coroutines")


class Format(Copy):
    def test_a_badly_formatted_file_is_found(self):
        self.write("net/planted.cpp", SOURCE + "int   f( ){return 1 ;}\n")
        result = subprocess.run([self.root / "dev", "lint", "format"], capture_output=True,
                                text=True, timeout=300, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("net/planted.cpp", result.stdout)
