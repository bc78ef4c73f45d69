// SPDX-License-Identifier: MIT
//
// Loses packets: a filter in the kernel throws away some of what arrives at a network interface.
// The filter ends with this program, which ends with its standard input and then says what it did.
// Exit code 77: this system does not permit it.
//
//     packet_loss INTERFACE PERCENT
//
// Facts this file rests on (bpf(2), bpf-helpers(7), linux/bpf.h; seen on Linux 6.18):
//  * A program is an array of instructions of 8 bytes. The kernel proves that it ends and touches
//    only what it may: a value out of a map only where the pointer has been compared with null.
//  * BPF_LINK_CREATE with BPF_TCX_INGRESS, since Linux 6.6, runs it on every packet that arrives at
//    the interface, as long as the descriptor that it returns is open.
//  * The program returns TCX_DROP (2), or TCX_NEXT (-1) for "let others decide".
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace {

constexpr int not_permitted = 77;
constexpr std::uint32_t tcx_ingress = 46;  // Younger than Debian 12's <linux/bpf.h>.
constexpr std::int32_t tcx_drop = 2;
constexpr std::int32_t tcx_next = -1;

// The registers by what they are for: r0 takes results, r1 to r3 arguments, r6 to r9 survive calls,
// r10 is the end of the stack.
enum Register : std::uint8_t { r0, r1, r2, r6 = 6, stack_end = 10 };

constexpr bpf_insn instruction(int code, Register to, int from, std::int16_t offset,
                               std::int32_t value) {
  bpf_insn made{};
  made.code = static_cast<std::uint8_t>(code);
  made.dst_reg = to & 0xfU;
  made.src_reg = static_cast<unsigned>(from) & 0xfU;
  made.off = offset;
  made.imm = value;
  return made;
}
constexpr bpf_insn set(Register to, std::int32_t value) {
  return instruction(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value);
}
constexpr bpf_insn copy(Register to, Register from) {
  return instruction(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}
constexpr bpf_insn call(std::int32_t helper) {
  return instruction(BPF_JMP | BPF_CALL, r0, 0, 0, helper);
}
constexpr bpf_insn exit_program() { return instruction(BPF_JMP | BPF_EXIT, r0, 0, 0, 0); }

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(not_permitted);
}

int bpf(int command, bpf_attr& attributes, const char* what) {
  const long result = ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
  if (result < 0) give_up(what);
  return static_cast<int>(result);
}

/// Two counters: packets let through, packets dropped.
int make_counters() {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = sizeof(std::uint32_t);
  attributes.value_size = sizeof(std::uint64_t);
  attributes.max_entries = 2;
  return bpf(BPF_MAP_CREATE, attributes, "bpf(BPF_MAP_CREATE)");
}

std::uint64_t read_counter(int counters, std::uint32_t which) {
  std::uint64_t value = 0;
  bpf_attr attributes{};
  attributes.map_fd = static_cast<std::uint32_t>(counters);
  attributes.key = reinterpret_cast<std::uintptr_t>(&which);
  attributes.value = reinterpret_cast<std::uintptr_t>(&value);
  bpf(BPF_MAP_LOOKUP_ELEM, attributes, "bpf(BPF_MAP_LOOKUP_ELEM)");
  return value;
}

int load_filter(int counters, std::int32_t percent) {
  const bpf_insn program[] = {
      // r6 = random % 100 < percent
      call(BPF_FUNC_get_prandom_u32),
      instruction(BPF_ALU | BPF_MOD | BPF_K, r0, 0, 0, 100),
      set(r6, 1),
      instruction(BPF_JMP | BPF_JLT | BPF_K, r0, 0, 1, percent),
      set(r6, 0),
      // ++counters[r6]
      instruction(BPF_STX | BPF_MEM | BPF_W, stack_end, r6, -4, 0),
      instruction(BPF_LD | BPF_IMM | BPF_DW, r1, BPF_PSEUDO_MAP_FD, 0, counters),
      bpf_insn{},  // The upper half of the address.
      copy(r2, stack_end),
      instruction(BPF_ALU64 | BPF_ADD | BPF_K, r2, 0, 0, -4),
      call(BPF_FUNC_map_lookup_elem),
      instruction(BPF_JMP | BPF_JEQ | BPF_K, r0, 0, 2, 0),
      set(r1, 1),
      instruction(BPF_STX | BPF_ATOMIC | BPF_DW, r0, r1, 0, BPF_ADD),
      // return r6 ? tcx_drop : tcx_next
      set(r0, tcx_drop),
      instruction(BPF_JMP | BPF_JNE | BPF_K, r6, 0, 1, 0),
      set(r0, tcx_next),
      exit_program(),
  };
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_SCHED_CLS;
  attributes.insns = reinterpret_cast<std::uintptr_t>(program);
  attributes.insn_cnt = static_cast<std::uint32_t>(std::size(program));
  attributes.license = reinterpret_cast<std::uintptr_t>("MIT");
  return bpf(BPF_PROG_LOAD, attributes, "bpf(BPF_PROG_LOAD)");
}

void attach(int filter, unsigned interface) {
  bpf_attr attributes{};
  attributes.link_create.prog_fd = static_cast<std::uint32_t>(filter);
  attributes.link_create.target_ifindex = interface;
  attributes.link_create.attach_type = tcx_ingress;
  bpf(BPF_LINK_CREATE, attributes, "bpf(BPF_LINK_CREATE)");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s INTERFACE PERCENT\n", argv[0]);
    return 2;
  }
  const unsigned interface = ::if_nametoindex(argv[1]);
  if (interface == 0) {
    std::perror(argv[1]);
    return 2;
  }
  const int counters = make_counters();
  attach(load_filter(counters, std::atoi(argv[2])), interface);
  std::printf("dropping\n");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  std::printf("passed=%llu dropped=%llu\n",
              static_cast<unsigned long long>(read_counter(counters, 0)),
              static_cast<unsigned long long>(read_counter(counters, 1)));
  return 0;
}
