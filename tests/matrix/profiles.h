// Where the profiles `linux` and `rfc` leave the matrix: the cells that come out otherwise, each
// with the policy (tcp/settings.h) that decides it. What stands here for `linux` is what the kernel
// does: the oracle asks it for every cell (ctest -R oracle_matrix).
#pragma once

#include <string_view>

#include "matrix/table.h"

namespace estab::test {

struct Override {
  const char* profile;
  const char* scenes;
  const char* what;  // of kTable
  const char* rules;
  State next;
  Reply reply;
  unsigned taken;
  const char* policy;
};

// clang-format off
inline constexpr Override kOverrides[] = {
// --- Linux 6.18. (In ESTABLISHED the kernel still takes the text of a segment that header prediction
// expects, however old its ACK: tests/oracle/differences.txt, predicted-old-ack.)
{"linux", "r",      "SYN in window",            "syn-rcvd-syn-reset",         LISTEN,      kResetAck, 0, "other_syn"},
{"linux", "f",      "SYN in window",            "syn-rcvd-syn-refused",       kSame,       kResetAck, 0, "other_syn"},
{"linux", "r",      "SYN at RCV.NXT",           "syn-rcvd-syn-reset",         LISTEN,      kResetAck, 0, "other_syn"},
{"linux", "f",      "SYN at RCV.NXT",           "syn-rcvd-syn-refused",       kSame,       kResetAck, 0, "other_syn"},
{"linux", "r",      "SYN with data",            "syn-rcvd-syn-reset",         LISTEN,      kResetAck, 0, "other_syn"},
{"linux", "f",      "SYN with data",            "syn-rcvd-syn-refused",       kSame,       kResetAck, 0, "other_syn"},
{"linux", "r",      "SYN|FIN in window",        "syn-rcvd-syn-reset",         LISTEN,      kResetAck, 0, "other_syn"},
{"linux", "f",      "SYN|FIN in window",        "syn-rcvd-syn-refused",       kSame,       kResetAck, 0, "other_syn"},
{"linux", "r",      "SYN|ACK in window",        "syn-rcvd-syn-reset",         LISTEN,      kReset,    0, "other_syn"},
{"linux", "f",      "SYN|ACK in window",        "syn-rcvd-syn-refused",       kSame,       kReset,    0, "other_syn"},
{"linux", "R",      "the same SYN",             "syn-rcvd-syn-challenge",     kSame,       kAckNow,   0, "crossed_syn_ack_as_linux"},
{"linux", "R",      "the same SYN, data",       "syn-rcvd-syn-challenge",     kSame,       kAckNow,   0, "crossed_syn_ack_as_linux"},
{"linux", "R",      "SYN|ACK of peer",          "syn-rcvd-syn-ack",           ESTABLISHED, kAckNow,   0, "crossed_syn_ack_as_linux"},
{"linux", "R",      "SYN|ACK, bad ACK",         "syn-rcvd-syn-challenge",     kSame,       kAckNow,   0, "window_takes_in_edges"},
{"linux", "R",      "data, old",                "syn-rcvd-ack out-of-window", ESTABLISHED, kAckNow,   0, "window_takes_in_edges"},
{"linux", "R",      "data, beyond",             "syn-rcvd-ack out-of-window", ESTABLISHED, kAckNow,   0, "window_takes_in_edges"},
{"linux", "rRf",    "RST, right edge",          "syn-rcvd-rst-challenge",     kSame,       kAckNow,   0, "window_takes_in_edges"},
{"linux", "1",      "data, old",                "fin-acked out-of-window",    FIN_WAIT_2,  kAckNow,   0, "window_takes_in_edges"},
{"linux", "C",      "data, old",                "fin-acked-closing",          TIME_WAIT,   kSilence,  0, "window_takes_in_edges"},
{"linux", "L",      "data, old",                "fin-acked-last-ack",         CLOSED,      kSilence,  0, "window_takes_in_edges"},
{"linux", "1",      "data, beyond window",      "fin-acked out-of-window",    FIN_WAIT_2,  kAckNow,   0, "window_takes_in_edges"},
{"linux", "1",      "FIN, old",                 "fin-acked out-of-window",    FIN_WAIT_2,  kAckNow,   0, "window_takes_in_edges"},
{"linux", "C",      "FIN, old",                 "fin-acked-closing",          TIME_WAIT,   kSilence,  0, "window_takes_in_edges"},
{"linux", "L",      "FIN, old",                 "fin-acked-last-ack",         CLOSED,      kSilence,  0, "window_takes_in_edges"},
{"linux", "1",      "FIN, beyond window",       "fin-acked out-of-window",    FIN_WAIT_2,  kAckNow,   0, "window_takes_in_edges"},
{"linux", "W",      "FIN, beyond window",       "ack",                        kSame,       kSilence,  0, "window_takes_in_edges"},
{"linux", "C",      "FIN, beyond window",       "fin-acked-closing",          TIME_WAIT,   kSilence,  0, "window_takes_in_edges"},
{"linux", "L",      "FIN, beyond window",       "fin-acked-last-ack",         CLOSED,      kSilence,  0, "window_takes_in_edges"},
{"linux", "E12",    "the same SYN",             "syn-challenge",              kSame,       kAckNow,   0, "window_takes_in_edges"},
{"linux", "E12",    "the same SYN|ACK",         "syn-challenge",              kSame,       kAckNow,   0, "window_takes_in_edges"},
{"linux", "E12WCL", "RST, right edge",          "rst-challenge",              kSame,       kAckNow,   0, "window_takes_in_edges"},
{"linux", "W",      "RST, old",                 "rst-close-wait",             CLOSED,      kSilence,  0, "reset_may_carry_fins_number"},
{"linux", "CL",     "RST, old",                 "rst-closing",                CLOSED,      kSilence,  0, "reset_may_carry_fins_number"},
{"linux", "E12",    "RST|SYN, old",             "rst-challenge",              kSame,       kAckNow,   0, "window_takes_in_edges"},
{"linux", "WCL",    "data over right edge",     "out-of-window",              kSame,       kAckNow,   0, "window_takes_in_edges"},
{"linux", "WCL",    "FIN, data over edge",      "out-of-window",              kSame,       kAckNow,   0, "window_takes_in_edges"},
{"linux", "L",      "FIN again, ACK of ours",   "fin-acked-last-ack",         CLOSED,      kSilence,  0, "window_takes_in_edges"},
{"linux", "E12WCL", "no flags, old",            "no-ack",                     kSame,       kSilence,  0, "no_ack_before_sequence"},
{"linux", "E12WCL", "ACK, oldest allowed",      "ack-too-old",                kSame,       kAckNow,   0, "ack_floor_is_first_byte"},
{"linux", "E12",    "data, old ACK",            "ack-too-old",                kSame,       kAckNow,   0, "ack_floor_is_first_byte"},
{"linux", "WCL",    "data, half of it old",     "data-after-fin-reset",       CLOSED,      kReset,    0, "text_after_fin_counts"},
{"linux", "WCL",    "FIN, data half old",       "data-after-fin-reset",       CLOSED,      kReset,    0, "text_after_fin_counts"},

// --- The RFCs' letter
{"rfc",   "r",      "SYN in window",            "syn-rcvd-syn-listen",        LISTEN,      kSilence,  0, "other_syn"},
{"rfc",   "r",      "SYN at RCV.NXT",           "syn-rcvd-syn-listen",        LISTEN,      kSilence,  0, "other_syn"},
{"rfc",   "r",      "SYN with data",            "syn-rcvd-syn-listen",        LISTEN,      kSilence,  0, "other_syn"},
{"rfc",   "r",      "SYN|FIN in window",        "syn-rcvd-syn-listen",        LISTEN,      kSilence,  0, "other_syn"},
{"rfc",   "r",      "SYN|ACK in window",        "syn-rcvd-syn-listen",        LISTEN,      kSilence,  0, "other_syn"},
{"rfc",   "rRf",    "no timestamp",             "syn-rcvd-no-timestamp",      kSame,       kSilence,  0, "timestamps_required"},
{"rfc",   "EW12CLT", "ACK, no timestamp",        "no-timestamp",               kSame,       kSilence,  0, "timestamps_required"},
{"rfc",   "EW",     "ACK, bad option",          "no-timestamp",               kSame,       kSilence,  0, "timestamps_required"},
{"rfc",   "E12",    "data, no timestamp",       "no-timestamp",               kSame,       kSilence,  0, "timestamps_required"},
{"rfc",   "E12",    "data, bad option",         "no-timestamp",               kSame,       kSilence,  0, "timestamps_required"},
{"rfc",   "E12",    "data, cut option",         "no-timestamp",               kSame,       kSilence,  0, "timestamps_required"},
{"rfc",   "E",      "FIN, no timestamp",        "no-timestamp",               kSame,       kSilence,  0, "timestamps_required"},
};
// clang-format on

/// The row as `profile` has it in `scene`.
inline Row RowUnder(std::string_view profile, char scene, const Row& row) {
  Row result = row;
  for (const Override& o : kOverrides) {
    if (profile != o.profile || std::string_view(row.what) != o.what) continue;
    if (std::string_view(o.scenes).find(scene) == std::string_view::npos) continue;
    result.rules = o.rules;
    result.next = o.next;
    result.reply = o.reply;
    result.taken = o.taken;
  }
  return result;
}

}  // namespace estab::test
