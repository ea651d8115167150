// Every state by every kind of arriving segment: which rule, which state next, which reply.
//
// The expectations are RFC 9293 §3.10.7, RFC 5961, RFC 7323 and the behaviours of the default
// profile, written out by hand. States are reached by real segments and calls alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "matrix/raw_peer.h"

namespace estab::test {
namespace {

// Where the connection stands when the segment arrives, by letter:
//   0 CLOSED (no socket)   l LISTEN           S SYN_SENT
//   r SYN_RCVD (record)    R SYN_RCVD (TCB, by simultaneous open)
//   E ESTABLISHED, 100 bytes of ours in flight
//   1 FIN_WAIT_1, our FIN in flight           2 FIN_WAIT_2
//   W CLOSE_WAIT, 100 bytes of ours in flight
//   C CLOSING, our FIN in flight              L LAST_ACK, our FIN in flight
//   T TIME_WAIT (record)
//
// Sequence numbers of the peer:  N = RCV.NXT (its ISN where it has sent nothing yet),
//                                I = its ISN, W = right edge of the window
// Acknowledgments:               U = SND.UNA, X = SND.NXT, O = SND.UNA - MAX.SND.WND, . = no number
struct Number {
  char base;
  int offset = 0;
};

enum class Reply {
  kSilence,
  kAckNow,        // <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, at once
  kAckSoon,    // the same, now or within the delayed ACK's time
  kSynAck,     // <SEQ=ISS><ACK=IRS+1><CTL=SYN,ACK>
  kReset,        // <SEQ=SEG.ACK><CTL=RST>
  kResetAck,     // <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>
};

enum class Twist {
  kPlain,
  kBadChecksum,
  kZeroOption,      // an option of length 0
  kCutOption,       // an option that claims more than the header has
  kOldTimestamp,    // older than TS.Recent
  kNoTimestamp,     // none at all, though they were agreed on
};

constexpr State kSame = static_cast<State>(0);

struct Row {
  const char* scenes;
  const char* what;
  unsigned flags;
  Number seq;
  Number ack;
  unsigned data;
  const char* rules;  // in the order in which they fire; "" for none
  State next;
  Reply reply;
  unsigned taken = 0;  // by how much RCV.NXT moves
  Twist twist = Twist::kPlain;
};

constexpr unsigned A = kAck, S = kSyn, F = kFin, R = kRst;
constexpr State CLOSED = State::kClosed, LISTEN = State::kListen, SYN_RCVD = State::kSynRcvd,
                ESTABLISHED = State::kEstablished, FIN_WAIT_2 = State::kFinWait2,
                CLOSE_WAIT = State::kCloseWait, CLOSING = State::kClosing,
                TIME_WAIT = State::kTimeWait;
using enum Reply;
using enum Twist;

// clang-format off
constexpr Row kTable[] = {
// --- CLOSED: RFC 9293 §3.10.7.1 ---------------------------------------------------------------------
{"0", "SYN",                 S,     {'N'},     {'.'},      0, "closed-reset", CLOSED, kResetAck},
{"0", "SYN with data",       S,     {'N'},     {'.'},     20, "closed-reset", CLOSED, kResetAck},
{"0", "SYN|FIN",             S | F, {'N'},     {'.'},      0, "closed-reset", CLOSED, kResetAck},
{"0", "SYN|ACK",             S | A, {'N'},     {'X'},      0, "closed-reset", CLOSED, kReset},
{"0", "ACK",                 A,     {'N'},     {'X'},      0, "closed-reset", CLOSED, kReset},
{"0", "data",                A,     {'N'},     {'X'},     20, "closed-reset", CLOSED, kReset},
{"0", "FIN",                 F | A, {'N'},     {'X'},      0, "closed-reset", CLOSED, kReset},
{"0", "FIN without ACK",     F,     {'N'},     {'.'},      0, "closed-reset", CLOSED, kResetAck},
{"0", "no flags",            0,     {'N'},     {'.'},      0, "closed-reset", CLOSED, kResetAck},
{"0", "no flags, data",      0,     {'N'},     {'.'},     20, "closed-reset", CLOSED, kResetAck},
{"0", "RST",                 R,     {'N'},     {'.'},      0, "closed-rst",   CLOSED, kSilence},
{"0", "RST|ACK",             R | A, {'N'},     {'X'},      0, "closed-rst",   CLOSED, kSilence},

// --- LISTEN: §3.10.7.2 --------------------------------------------------------------------------------
{"l", "SYN",                 S,     {'N'},     {'.'},      0, "listen-syn",     SYN_RCVD, kSynAck},
{"l", "SYN with data",       S,     {'N'},     {'.'},     20, "listen-syn",     SYN_RCVD, kSynAck},
{"l", "SYN, bad option",     S,     {'N'},     {'.'},      0, "listen-syn",     SYN_RCVD, kSynAck, 0, kZeroOption},
{"l", "SYN, cut option",     S,     {'N'},     {'.'},      0, "listen-syn",     SYN_RCVD, kSynAck, 0, kCutOption},
{"l", "SYN|FIN",             S | F, {'N'},     {'.'},      0, "listen-syn-fin", LISTEN,   kSilence},
{"l", "SYN|RST",             S | R, {'N'},     {'.'},      0, "listen-rst",     LISTEN,   kSilence},
{"l", "SYN|ACK",             S | A, {'N'},     {'X'},      0, "listen-ack",     LISTEN,   kReset},
{"l", "ACK",                 A,     {'N'},     {'X'},      0, "listen-ack",     LISTEN,   kReset},
{"l", "data",                A,     {'N'},     {'X'},     20, "listen-ack",     LISTEN,   kReset},
{"l", "FIN",                 F | A, {'N'},     {'X'},      0, "listen-ack",     LISTEN,   kReset},
{"l", "FIN without ACK",     F,     {'N'},     {'.'},      0, "listen-other",   LISTEN,   kSilence},
{"l", "no flags",            0,     {'N'},     {'.'},      0, "listen-other",   LISTEN,   kSilence},
{"l", "no flags, data",      0,     {'N'},     {'.'},     20, "listen-other",   LISTEN,   kSilence},
{"l", "RST",                 R,     {'N'},     {'.'},      0, "listen-rst",     LISTEN,   kSilence},
{"l", "RST|ACK",             R | A, {'N'},     {'X'},      0, "listen-rst",     LISTEN,   kSilence},

// --- SYN_SENT: §3.10.7.3 ------------------------------------------------------------------------------
{"S", "SYN|ACK",             S | A, {'N'},     {'X'},      0, "syn-sent-syn-ack",     ESTABLISHED, kAckNow, 1},
{"S", "SYN|ACK with data",   S | A, {'N'},     {'X'},     20, "syn-sent-syn-ack",     ESTABLISHED, kAckNow, 1},
{"S", "SYN|ACK|FIN",     S | A | F, {'N'},     {'X'},      0, "syn-sent-syn-ack",     ESTABLISHED, kAckNow, 1},
{"S", "SYN|ACK, old ACK",    S | A, {'N'},     {'U'},      0, "syn-sent-bad-ack",     kSame, kReset},
{"S", "SYN|ACK, future ACK", S | A, {'N'},     {'X', 1},   0, "syn-sent-bad-ack",     kSame, kReset},
{"S", "ACK, old",            A,     {'N'},     {'U', -9},  0, "syn-sent-bad-ack",     kSame, kReset},
{"S", "ACK, future",         A,     {'N'},     {'X', 9},   0, "syn-sent-bad-ack",     kSame, kReset},
{"S", "ACK of our SYN",      A,     {'N'},     {'X'},      0, "syn-sent-other",       kSame, kSilence},
{"S", "data",                A,     {'N'},     {'X'},     20, "syn-sent-other",       kSame, kSilence},
{"S", "FIN",                 F | A, {'N'},     {'X'},      0, "syn-sent-other",       kSame, kSilence},
{"S", "no flags",            0,     {'N'},     {'.'},      0, "syn-sent-other",       kSame, kSilence},
{"S", "SYN",                 S,     {'N'},     {'.'},      0, "syn-sent-syn",         SYN_RCVD, kSynAck},
{"S", "SYN with data",       S,     {'N'},     {'.'},     20, "syn-sent-syn",         SYN_RCVD, kSynAck},
{"S", "RST|ACK of our SYN",  R | A, {'N'},     {'X'},      0, "syn-sent-refused",     CLOSED, kSilence},
{"S", "RST|ACK, bad ACK",    R | A, {'N'},     {'U'},      0, "syn-sent-bad-ack-rst", kSame, kSilence},
{"S", "RST|ACK, future ACK", R | A, {'N'},     {'X', 1},   0, "syn-sent-bad-ack-rst", kSame, kSilence},
{"S", "RST without ACK",     R,     {'N'},     {'.'},      0, "syn-sent-rst-no-ack",  kSame, kSilence},

// --- SYN_RCVD: §3.10.7.4, RFC 5961; record and TCB alike, unless said -----------------------------------
{"rR", "the same SYN",       S,     {'I'},     {'.'},      0, "syn-rcvd-repeated-syn",     kSame, kSynAck},
{"rR", "SYN in window",      S,     {'N', 9},  {'.'},      0, "syn-rcvd-syn-challenge",    kSame, kAckNow},
{"rR", "SYN at RCV.NXT",     S,     {'N'},     {'.'},      0, "syn-rcvd-syn-challenge",    kSame, kAckNow},
{"rR", "SYN beyond window",  S,     {'W', 9},  {'.'},      0, "syn-rcvd-out-of-window",    kSame, kAckNow},
{"rR", "SYN, old",           S,     {'I', -9}, {'.'},      0, "syn-rcvd-out-of-window",    kSame, kAckNow},
{"rR", "SYN|FIN in window",  S | F, {'N', 9},  {'.'},      0, "syn-rcvd-syn-challenge",    kSame, kAckNow},
{"r",  "SYN|ACK of peer",    S | A, {'I'},     {'X'},      0, "syn-rcvd-out-of-window",    kSame, kAckNow},
{"R",  "SYN|ACK of peer",    S | A, {'I'},     {'X'},      0, "syn-rcvd-syn-ack",          ESTABLISHED, kSilence},
{"R",  "SYN|ACK, bad ACK",   S | A, {'I'},     {'U'},      0, "syn-rcvd-out-of-window",    kSame, kAckNow},
{"rR", "SYN|ACK in window",  S | A, {'N', 9},  {'X'},      0, "syn-rcvd-syn-challenge",    kSame, kAckNow},
{"rR", "ACK",                A,     {'N'},     {'X'},      0, "syn-rcvd-ack",              ESTABLISHED, kSilence},
{"rR", "ACK, old",           A,     {'N'},     {'U'},      0, "syn-rcvd-bad-ack",          kSame, kReset},
{"rR", "ACK, far below",     A,     {'N'},     {'O', -9},  0, "syn-rcvd-bad-ack",          kSame, kReset},
{"rR", "ACK, future",        A,     {'N'},     {'X', 1},   0, "syn-rcvd-bad-ack",          kSame, kReset},
{"rR", "data",               A,     {'N'},     {'X'},     20, "syn-rcvd-ack data",         ESTABLISHED, kAckSoon, 20},
{"rR", "data, bad ACK",      A,     {'N'},     {'X', 1},  20, "syn-rcvd-bad-ack",          kSame, kReset},
{"rR", "data, gap",          A,     {'N', 9},  {'X'},     20, "syn-rcvd-ack data-out-of-order", ESTABLISHED, kAckNow},
{"rR", "data, old",          A,     {'N', -20},{'X'},     20, "syn-rcvd-out-of-window",    kSame, kAckNow},
{"rR", "data, beyond",       A,     {'W'},     {'X'},     20, "syn-rcvd-out-of-window",    kSame, kAckNow},
{"rR", "FIN",                F | A, {'N'},     {'X'},      0, "syn-rcvd-ack fin",          CLOSE_WAIT, kAckSoon, 1},
{"rR", "FIN without ACK",    F,     {'N'},     {'.'},      0, "syn-rcvd-no-ack",           kSame, kSilence},
{"rR", "no flags",           0,     {'N'},     {'.'},      0, "syn-rcvd-no-ack",           kSame, kSilence},
{"r",  "RST, exact",         R,     {'N'},     {'.'},      0, "syn-rcvd-rst",              LISTEN, kSilence},
{"r",  "RST|ACK, bad ACK",   R | A, {'N'},     {'X', 5},   0, "syn-rcvd-rst",              LISTEN, kSilence},
{"R",  "RST, exact",         R,     {'N'},     {'.'},      0, "syn-rcvd-rst-active",       CLOSED, kSilence},
{"R",  "RST|ACK, bad ACK",   R | A, {'N'},     {'X', 5},   0, "syn-rcvd-rst-active",       CLOSED, kSilence},
{"rR", "RST in window",      R,     {'N', 9},  {'.'},      0, "syn-rcvd-rst-challenge",    kSame, kAckNow},
{"rR", "RST beyond",         R,     {'W', 1},  {'.'},      0, "syn-rcvd-out-of-window-rst", kSame, kSilence},
{"rR", "RST, right edge",    R,     {'W'},     {'.'},      0, "syn-rcvd-out-of-window-rst", kSame, kSilence},
{"rR", "RST, old",           R,     {'N', -1}, {'.'},      0, "syn-rcvd-out-of-window-rst", kSame, kSilence},
{"rR", "old timestamp",      A,     {'N'},     {'X'},     20, "syn-rcvd-paws",             kSame, kAckNow, 0, kOldTimestamp},
{"rR", "no timestamp",       A,     {'N'},     {'X'},      0, "syn-rcvd-ack",              ESTABLISHED, kSilence, 0, kNoTimestamp},

// --- Synchronized states: first, the sequence number -----------------------------------------------------
{"E12WCL", "ACK, old number",     A,     {'N', -9},  {'X'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "ACK, beyond window",  A,     {'W', 1},   {'X'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "data, old",           A,     {'N', -20}, {'X'},    20, "out-of-window", kSame, kAckNow},
{"E12WCL", "data, beyond window", A,     {'W'},      {'X'},    20, "out-of-window", kSame, kAckNow},
{"E12WCL", "FIN, old",            F | A, {'N', -1},  {'X'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "FIN, beyond window",  F | A, {'W'},      {'X'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "no flags, old",       0,     {'N', -9},  {'.'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "keepalive probe",     A,     {'N', -1},  {'X'},     0, "out-of-window", kSame, kAckNow},
// The SYN that opened: its number lies before the window.
{"E12WCL", "the same SYN",        S,     {'I'},      {'.'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "the same SYN|ACK",    S | A, {'I'},      {'U'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "SYN, old",            S,     {'I', -99}, {'.'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "SYN, beyond window",  S,     {'W', 9},   {'.'},     0, "out-of-window", kSame, kAckNow},
// ... PAWS, before it.
{"E12WCL", "data, old timestamp", A,     {'N'},      {'X'},    20, "paws", kSame, kAckNow, 0, kOldTimestamp},
{"E12WCL", "ACK, old timestamp",  A,     {'N'},      {'X'},     0, "paws", kSame, kAckNow, 0, kOldTimestamp},
{"E12WCL", "FIN, old timestamp",  F | A, {'N'},      {'X'},     0, "paws", kSame, kAckNow, 0, kOldTimestamp},

// --- Second, RST: RFC 5961 §3 ---------------------------------------------------------------------------
{"E12", "RST, exact",             R,     {'N'},      {'.'},     0, "rst",             CLOSED, kSilence},
{"E12", "RST|ACK, bad ACK",       R | A, {'N'},      {'X', 9},  0, "rst",             CLOSED, kSilence},
{"E12", "RST, old timestamp",     R,     {'N'},      {'.'},     0, "rst",             CLOSED, kSilence, 0, kOldTimestamp},
{"W",   "RST, exact",             R,     {'N'},      {'.'},     0, "rst-close-wait",  CLOSED, kSilence},
{"CL",  "RST, exact",             R,     {'N'},      {'.'},     0, "rst-closing",     CLOSED, kSilence},
{"E12WCL", "RST in window",       R,     {'N', 1},   {'.'},     0, "rst-challenge",   kSame, kAckNow},
{"E12WCL", "RST|ACK in window",   R | A, {'W', -1},  {'X'},     0, "rst-challenge",   kSame, kAckNow},
{"E12WCL", "RST, right edge",     R,     {'W'},      {'.'},     0, "out-of-window-rst", kSame, kSilence},
{"E12WCL", "RST beyond window",   R,     {'W', 1},   {'.'},     0, "out-of-window-rst", kSame, kSilence},
{"E12WCL", "RST, old",            R,     {'N', -1},  {'.'},     0, "out-of-window-rst", kSame, kSilence},
{"E12WCL", "RST|SYN, old",        R | S, {'I'},      {'.'},     0, "out-of-window-rst", kSame, kSilence},

// --- Fourth, SYN: RFC 5961 §4 ---------------------------------------------------------------------------
{"E12WCL", "SYN at RCV.NXT",      S,     {'N'},      {'.'},     0, "syn-challenge",   kSame, kAckNow},
{"E12WCL", "SYN in window",       S,     {'N', 9},   {'.'},     0, "syn-challenge",   kSame, kAckNow},
{"E12WCL", "SYN|ACK in window",   S | A, {'N', 9},   {'X'},     0, "syn-challenge",   kSame, kAckNow},
{"E12WCL", "SYN|FIN in window",   S | F, {'N', 9},   {'.'},     0, "syn-challenge",   kSame, kAckNow},

// --- Fifth, ACK: RFC 5961 §5 -----------------------------------------------------------------------------
{"E12WCL", "no flags",            0,     {'N'},      {'.'},     0, "no-ack",          kSame, kSilence},
{"E12WCL", "data without ACK",    0,     {'N'},      {'.'},    20, "no-ack",          kSame, kSilence},
{"E12WCL", "FIN without ACK",     F,     {'N'},      {'.'},     0, "no-ack",          kSame, kSilence},
{"E12WCL", "ACK, future",         A,     {'N'},      {'X', 1},  0, "ack-too-new",     kSame, kAckNow},
{"E12WCL", "data, future ACK",    A,     {'N'},      {'X', 1}, 20, "ack-too-new",     kSame, kAckNow},
{"E12WCL", "FIN, future ACK",     F | A, {'N'},      {'X', 1},  0, "ack-too-new",     kSame, kAckNow},
{"E12WCL", "ACK, far below",      A,     {'N'},      {'O', -1}, 0, "ack-too-old",     kSame, kAckNow},
{"E12WCL", "data, ACK far below", A,     {'N'},      {'O', -1},20, "ack-too-old",     kSame, kAckNow},
{"E12WCL", "ACK, oldest allowed", A,     {'N'},      {'O'},     0, "ack-nothing-new", kSame, kSilence},
{"E1WCL",  "ACK, duplicate",      A,     {'N'},      {'U'},     0, "duplicate-ack",   kSame, kSilence},
{"2",      "ACK, duplicate",      A,     {'N'},      {'U'},     0, "ack-nothing-new", kSame, kSilence},
{"EW",     "ACK, new",            A,     {'N'},      {'X'},     0, "ack",             kSame, kSilence},
{"EW",     "ACK, part of it",     A,     {'N'},      {'U', 40}, 0, "ack",             kSame, kSilence},
{"1",      "ACK of our FIN",      A,     {'N'},      {'X'},     0, "fin-acked",           FIN_WAIT_2, kSilence},
{"C",      "ACK of our FIN",      A,     {'N'},      {'X'},     0, "fin-acked-closing",   TIME_WAIT,  kSilence},
{"L",      "ACK of our FIN",      A,     {'N'},      {'X'},     0, "fin-acked-last-ack",  CLOSED,     kSilence},
{"EW",     "ACK, right edge",     A,     {'W'},      {'X'},     0, "ack",             kSame, kSilence},
{"EW",     "ACK, no timestamp",   A,     {'N'},      {'X'},     0, "ack",             kSame, kSilence, 0, kNoTimestamp},
{"EW",     "ACK, bad option",     A,     {'N'},      {'X'},     0, "ack",             kSame, kSilence, 0, kZeroOption},

// --- Seventh, the text -------------------------------------------------------------------------------------
{"E12", "data",                   A,     {'N'},      {'U'},    20, "data",              kSame, kAckSoon, 20},
{"E12", "data, no timestamp",     A,     {'N'},      {'U'},    20, "data",              kSame, kAckSoon, 20, kNoTimestamp},
{"E12", "data, bad option",       A,     {'N'},      {'U'},    20, "data",              kSame, kAckSoon, 20, kZeroOption},
{"E12", "data, cut option",       A,     {'N'},      {'U'},    20, "data",              kSame, kAckSoon, 20, kCutOption},
{"E12", "data, old ACK",          A,     {'N'},      {'U', -9},20, "data",              kSame, kAckSoon, 20},
{"E12", "data, half of it old",   A,     {'N', -10}, {'U'},    20, "data",              kSame, kAckSoon, 10},
{"E12", "data, gap",              A,     {'N', 9},   {'U'},    20, "data-out-of-order", kSame, kAckNow},
{"E12", "data over right edge",   A,     {'W', -10}, {'U'},    20, "data-out-of-order", kSame, kAckNow},
{"1",   "data, ACK of our FIN",   A,     {'N'},      {'X'},    20, "fin-acked data",    FIN_WAIT_2, kAckSoon, 20},
{"WCL", "data beyond the FIN",    A,     {'N'},      {'U'},    20, "data-after-fin",    kSame, kAckNow},
{"C",   "data, ACK of our FIN",   A,     {'N'},      {'X'},    20, "fin-acked-closing", TIME_WAIT, kSilence},
{"L",   "data, ACK of our FIN",   A,     {'N'},      {'X'},    20, "fin-acked-last-ack", CLOSED, kSilence},

// --- Eighth, the FIN ---------------------------------------------------------------------------------------
{"E",   "FIN",                    F | A, {'N'},      {'U'},     0, "fin",               CLOSE_WAIT, kAckSoon, 1},
{"E",   "FIN with data",          F | A, {'N'},      {'U'},    20, "fin",               CLOSE_WAIT, kAckSoon, 21},
{"E",   "FIN, data half old",     F | A, {'N', -10}, {'U'},    20, "fin",               CLOSE_WAIT, kAckSoon, 11},
{"1",   "FIN, not ours acked",    F | A, {'N'},      {'U'},     0, "fin-crossed",       CLOSING,    kAckNow, 1},
{"1",   "FIN and ACK of ours",    F | A, {'N'},      {'X'},     0, "fin-with-ack",      TIME_WAIT,  kAckNow, 1},
{"1",   "FIN, data, ACK of ours", F | A, {'N'},      {'X'},    20, "fin-acked fin-second", TIME_WAIT, kAckNow, 21},
{"1",   "FIN with data",          F | A, {'N'},      {'U'},    20, "fin-crossed",       CLOSING,    kAckNow, 21},
{"2",   "FIN",                    F | A, {'N'},      {'X'},     0, "fin-second",        TIME_WAIT,  kAckNow, 1},
{"2",   "FIN with data",          F | A, {'N'},      {'X'},    20, "fin-second",        TIME_WAIT,  kAckNow, 21},
{"E12", "FIN, gap",               F | A, {'N', 9},   {'U'},     0, "data-out-of-order", kSame,      kAckNow},
{"E12", "FIN with data, gap",     F | A, {'N', 9},   {'U'},    20, "data-out-of-order", kSame,      kAckNow},
{"WCL", "FIN beyond the FIN",     F | A, {'N'},      {'U'},     0, "data-after-fin",    kSame,      kAckNow},
{"L",   "FIN again, ACK of ours", F | A, {'N', -1},  {'X'},     0, "out-of-window",     kSame,      kAckNow},

// --- TIME_WAIT: §3.10.7.4, RFC 6191, RFC 1337 ----------------------------------------------------------------
{"T", "FIN again",           F | A, {'N', -1},  {'X'},     0, "time-wait-repeated-fin", kSame, kAckNow},
{"T", "FIN with data again", F | A, {'N', -21}, {'X'},    20, "time-wait-repeated-fin", kSame, kAckNow},
{"T", "data, old",           A,     {'N', -20}, {'X'},    20, "time-wait-old",          kSame, kAckNow},
{"T", "data, new",           A,     {'N'},      {'X'},    20, "time-wait-old",          kSame, kAckNow},
{"T", "data, beyond window", A,     {'W'},      {'X'},    20, "time-wait-old",          kSame, kAckNow},
{"T", "ACK",                 A,     {'N'},      {'X'},     0, "time-wait-ack",          kSame, kSilence},
{"T", "ACK, old number",     A,     {'N', -9},  {'X'},     0, "time-wait-old",          kSame, kAckNow},
{"T", "data, old timestamp", A,     {'N'},      {'X'},    20, "time-wait-old",          kSame, kAckNow, 0, kOldTimestamp},
{"T", "SYN|ACK",             S | A, {'I'},      {'X'},     0, "time-wait-old",          kSame, kAckNow},
{"T", "the same SYN",        S,     {'I'},      {'.'},     0, "time-wait-old-syn",      kSame, kAckNow},
{"T", "SYN, later",          S,     {'N', 9},   {'.'},     0, "time-wait-old-syn",      kSame, kAckNow},  // nobody listens
{"T", "RST, exact",          R,     {'N'},      {'.'},     0, "time-wait-rst",          CLOSED, kSilence},
{"T", "RST|ACK, exact",      R | A, {'N'},      {'X'},     0, "time-wait-rst",          CLOSED, kSilence},
{"T", "RST in window",       R,     {'N', 9},   {'.'},     0, "time-wait-rst-ignored",  kSame, kSilence},
{"T", "RST, old",            R,     {'N', -1},  {'.'},     0, "time-wait-rst-ignored",  kSame, kSilence},
{"T", "RST, beyond window",  R,     {'W', 1},   {'.'},     0, "time-wait-rst-ignored",  kSame, kSilence},

// --- Not a segment at all ------------------------------------------------------------------------------------
{"0lSrRE12WCLT", "bad checksum", A, {'N'},      {'X'},     0, "", kSame, kSilence, 0, kBadChecksum},
{"0lSrRE12WCLT", "SYN, bad checksum", S, {'N'}, {'.'},     0, "", kSame, kSilence, 0, kBadChecksum},
{"0lSrRE12WCLT", "RST, bad checksum", R, {'N'}, {'.'},     0, "", kSame, kSilence, 0, kBadChecksum},
};
// clang-format on

/// A connection in one of the states, with its numbers.
class Scene {
 public:
  Scene(char which, bool ipv6) : which_(which), peer_(ipv6) {
    peer_.Pass(milliseconds(1));
    Enter();
    peer_.Pass(milliseconds(50));  // a delayed ACK may be under way
    peer_.Take();
    peer_.TakeRules();
    window_ = peer_.edge;
  }

  State state() const {
    switch (which_) {
      case '0': return State::kClosed;
      case 'l': return State::kListen;
      case 'S': return State::kSynSent;
      case 'r':
      case 'R': return State::kSynRcvd;
      case 'E': return State::kEstablished;
      case '1': return State::kFinWait1;
      case '2': return State::kFinWait2;
      case 'W': return State::kCloseWait;
      case 'C': return State::kClosing;
      case 'L': return State::kLastAck;
      default: return State::kTimeWait;
    }
  }

  void Check(const Row& row) {
    const wire::Segment segment = Make(row);
    const std::uint64_t bad = peer_.stack->Counters().bad_packets;
    Deliver(row, segment);
    std::string rules;
    const auto fired = peer_.TakeRules();
    for (const Fired& f : fired) rules += (rules.empty() ? "" : " ") + f.name();
    EXPECT_EQ(rules, row.rules);
    const State next = row.next == kSame ? state() : row.next;
    if (!fired.empty()) {
      EXPECT_STREQ(StateName(fired.back().to), StateName(next));
    }
    EXPECT_STREQ(StateName(Now()), StateName(next));
    EXPECT_EQ(peer_.stack->Counters().bad_packets - bad, row.twist == kBadChecksum ? 1u : 0u);
    CheckReply(row, segment);
    peer_.stack->CheckInvariants();
  }

 private:
  void Enter() {
    switch (which_) {
      case '0':
        una_ = 5000;
        snd_nxt_ = 5000;
        rcv_nxt_ = peer_.irs;
        return;
      case 'l':
        socket_ = peer_.Listen();
        una_ = snd_nxt_ = 5000;
        rcv_nxt_ = peer_.irs;
        return;
      case 'S':
        socket_ = peer_.Connect();
        return Numbers(0, 1, 0);
      case 'r':
        socket_ = peer_.Listen();
        peer_.HalfOpen();
        return Numbers(0, 1, 1);
      case 'R':
        socket_ = peer_.Connect();
        peer_.Segment(kSyn, peer_.irs, 0);
        return Numbers(0, 1, 1);
      default:
        return EnterSynchronized();
    }
  }

  void EnterSynchronized() {
    socket_ = peer_.Established();
    const std::uint32_t seq = peer_.irs + 1;
    const std::uint32_t ack = peer_.iss + 1;
    if (which_ == 'E') return Write(), Numbers(1, 101, 1);
    if (which_ == 'W' || which_ == 'L') {
      peer_.Segment(kFin | kAck, seq, ack);
      if (which_ == 'W') return Write(), Numbers(1, 101, 2);
      ASSERT_TRUE(peer_.stack->Shutdown(peer_.now, socket_, How::kWrite));
      return Numbers(1, 2, 2);
    }
    ASSERT_TRUE(peer_.stack->Shutdown(peer_.now, socket_, How::kWrite));
    peer_.Flush();
    if (which_ == '1') return Numbers(1, 2, 1);
    if (which_ == 'C') {
      peer_.Segment(kFin | kAck, seq, ack);
      return Numbers(1, 2, 2);
    }
    peer_.Segment(kAck, seq, ack + 1);
    if (which_ == '2') return Numbers(2, 2, 1);
    peer_.Segment(kFin | kAck, seq, ack + 1);
    Numbers(2, 2, 2);
  }

  void Write() {
    ASSERT_EQ(*peer_.stack->Send(peer_.now, socket_, Bytes(std::string(100, 'w'))), 100u);
    peer_.Flush();
  }
  void Numbers(std::uint32_t una, std::uint32_t nxt, std::uint32_t rcv) {
    una_ = peer_.iss + una;
    snd_nxt_ = peer_.iss + nxt;
    rcv_nxt_ = peer_.irs + rcv;
  }

  std::uint32_t SeqOf(Number n) const {
    const std::uint32_t base = n.base == 'I' ? peer_.irs : n.base == 'W' ? window_ : rcv_nxt_;
    return base + static_cast<std::uint32_t>(n.offset);
  }
  std::uint32_t AckOf(Number n) const {
    if (n.base == '.') return 0;
    const std::uint32_t base = n.base == 'U' ? una_ : n.base == 'X' ? snd_nxt_ : una_ - 60000;
    return base + static_cast<std::uint32_t>(n.offset);
  }

  wire::Segment Make(const Row& row) const {
    Extra extra;
    if (row.twist == kOldTimestamp) extra.ts_age = 1000;
    if (row.twist == kNoTimestamp) extra.timestamp = false;
    wire::Segment s = peer_.Make(row.flags, SeqOf(row.seq), AckOf(row.ack), extra);
    if (row.twist == kZeroOption || row.twist == kCutOption) {
      s.options = wire::TcpOptions{};
      s.options.has_mss = true;  // four bytes, spoilt below
    }
    return s;
  }

  void Deliver(const Row& row, const wire::Segment& segment) {
    auto packet = Pack(peer_.theirs(), peer_.ours(), segment, std::string(row.data, 'd'));
    const std::size_t tcp = wire::IpHeaderSize(peer_.ours());
    const auto poke = [&](std::size_t at, std::uint8_t value) {
      // The checksum is corrected for the change of one byte (RFC 1624).
      const auto old = std::to_integer<std::uint32_t>(packet[tcp + at]);
      std::uint32_t sum = ~((std::to_integer<std::uint32_t>(packet[tcp + 16]) << 8) |
                            std::to_integer<std::uint32_t>(packet[tcp + 17])) & 0xffffu;
      const unsigned shift = at % 2 == 0 ? 8 : 0;
      sum += (~(old << shift) & 0xffffu) + (std::uint32_t{value} << shift);
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
      sum = ~sum & 0xffffu;
      packet[tcp + at] = static_cast<std::byte>(value);
      packet[tcp + 16] = static_cast<std::byte>(sum >> 8);
      packet[tcp + 17] = static_cast<std::byte>(sum);
    };
    if (row.twist == kZeroOption) poke(21, 0);
    if (row.twist == kCutOption) poke(21, 9);
    if (row.twist == kBadChecksum) packet[tcp + 16] ^= std::byte{1};
    peer_.Inject(packet);
  }

  // The state as it shows from outside.
  State Now() {
    const StackCounters counters = peer_.stack->Counters();
    if (which_ == '0') return counters.sockets == 0 ? State::kClosed : State::kEstablished;
    if (which_ != 'l' && which_ != 'r') return peer_.StateOf(socket_);
    if (counters.half_open != 0) return State::kSynRcvd;
    const auto accepted = peer_.stack->Accept(peer_.now, socket_);
    return accepted ? peer_.StateOf(*accepted) : State::kListen;
  }

  void CheckReply(const Row& row, const wire::Segment& segment) {
    auto sent = peer_.Take();
    if (row.reply == kAckSoon && sent.empty()) {
      peer_.Pass(milliseconds(50));
      sent = peer_.Take();
    }
    ASSERT_EQ(sent.size(), row.reply == kSilence ? 0u : 1u);
    if (sent.empty()) return;
    const wire::Segment& reply = sent[0].segment;
    EXPECT_EQ(sent[0].payload, "");
    const std::uint32_t rcv_nxt = rcv_nxt_ + row.taken;
    switch (row.reply) {
      case kAckNow:
      case kAckSoon:
        EXPECT_EQ(reply.flags, A);
        EXPECT_EQ(reply.seq, snd_nxt_);
        EXPECT_EQ(reply.ack, rcv_nxt);
        EXPECT_EQ(reply.options.has_timestamp, peer_.timestamps);
        break;
      case kSynAck:
        EXPECT_EQ(reply.flags, S | A);
        if (which_ != 'l') {
          EXPECT_EQ(reply.seq, peer_.iss);
        }
        EXPECT_EQ(reply.ack, peer_.irs + 1);
        break;
      case kReset:
        EXPECT_EQ(reply.flags, R);
        EXPECT_EQ(reply.seq, segment.ack);
        EXPECT_EQ(reply.window, 0);
        break;
      case kResetAck:
        EXPECT_EQ(reply.flags, R | A);
        EXPECT_EQ(reply.seq, 0u);
        EXPECT_EQ(reply.ack, segment.seq + segment.length() + row.data);
        EXPECT_EQ(reply.window, 0);
        break;
      case kSilence:
        break;
    }
  }

  char which_;
  RawPeer peer_;
  SocketId socket_;
  std::uint32_t una_ = 0;
  std::uint32_t snd_nxt_ = 0;
  std::uint32_t rcv_nxt_ = 0;
  std::uint32_t window_ = 0;
};

void RunTable(bool ipv6) {
  for (const Row& row : kTable) {
    for (const char* scene = row.scenes; *scene != '\0'; ++scene) {
      Scene s(*scene, ipv6);
      SCOPED_TRACE(std::string(StateName(s.state())) + " (" + *scene + ") <- " + row.what);
      s.Check(row);
    }
  }
}

TEST(Matrix, EveryStateByEverySegment) { RunTable(false); }
TEST(Matrix, EveryStateByEverySegmentIpv6) { RunTable(true); }

// A state that no row looks at would go unnoticed.
TEST(Matrix, CoversEveryState) {
  std::string seen;
  for (const Row& row : kTable) seen += row.scenes;
  for (char scene : std::string_view("0lSrRE12WCLT")) {
    EXPECT_GE(std::count(seen.begin(), seen.end(), scene), 10) << scene;
  }
}

}  // namespace
}  // namespace estab::test
