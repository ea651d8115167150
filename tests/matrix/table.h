// The matrix: every state by every kind of arriving segment, with the rules that fire, the next
// state and the reply.
//
// The expectations are RFC 9293 §3.10.7, RFC 5961, RFC 7323 and the behaviours of the default
// profile, written out by hand; profiles.h says what the other profiles make of it.
#pragma once

#include "estab/observer.h"
#include "estab/rule.h"

namespace estab::test {

// Where the connection stands when the segment arrives, by letter:
//   0 CLOSED (no socket)   l LISTEN           S SYN_SENT
//   r SYN_RCVD (record)    R SYN_RCVD (TCB, by simultaneous open)
//   f SYN_RCVD (TCB, made on its SYN by Fast Open)
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
  kAckNow,    // <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, at once
  kAckSoon,   // the same, now or within the delayed ACK's time
  kSynAck,    // <SEQ=ISS><ACK=IRS+1><CTL=SYN,ACK>
  kReset,     // <SEQ=SEG.ACK><CTL=RST>
  kResetAck,  // <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>
};

enum class Twist {
  kPlain,
  kBadChecksum,
  kZeroOption,    // an option of length 0
  kCutOption,     // an option that claims more than the header has
  kOldTimestamp,  // older than TS.Recent
  kNoTimestamp,   // none at all, though they were agreed on
};

inline constexpr State kSame = static_cast<State>(0);

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

inline constexpr unsigned A = kAck, S = kSyn, F = kFin, R = kRst, U = kUrg;
inline constexpr State CLOSED = State::kClosed, LISTEN = State::kListen, SYN_RCVD = State::kSynRcvd,
                       ESTABLISHED = State::kEstablished, FIN_WAIT_2 = State::kFinWait2,
                       CLOSE_WAIT = State::kCloseWait, CLOSING = State::kClosing,
                       TIME_WAIT = State::kTimeWait;
using enum Reply;
using enum Twist;

// clang-format off
inline constexpr Row kTable[] = {
// --- CLOSED: RFC 9293 §3.10.7.1 ---------------------------------------------------------------------
{"0", "SYN",                 S,     {'N'},     {'.'},      0, "closed-reset", CLOSED, kResetAck},
{"0", "SYN with data",       S,     {'N'},     {'.'},     20, "closed-reset", CLOSED, kResetAck},
{"0", "SYN|FIN",             S | F, {'N'},     {'.'},      0, "closed-reset", CLOSED, kResetAck},
{"0", "SYN|ACK",             S | A, {'N'},     {'X'},      0, "closed-reset", CLOSED, kReset},
{"0", "ACK",                 A,     {'N'},     {'X'},      0, "closed-reset", CLOSED, kReset},
{"0", "data",                A,     {'N'},     {'X'},     20, "closed-reset", CLOSED, kReset},
{"0", "urgent data",     U | A, {'N'},     {'X'},     20, "closed-reset", CLOSED, kReset},
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
{"l", "urgent data",     U | A, {'N'},     {'X'},     20, "listen-ack",     LISTEN,   kReset},
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
{"S", "urgent data",     U | A, {'N'},     {'X'},     20, "syn-sent-other",       kSame, kSilence},
{"S", "FIN",                 F | A, {'N'},     {'X'},      0, "syn-sent-other",       kSame, kSilence},
{"S", "no flags",            0,     {'N'},     {'.'},      0, "syn-sent-other",       kSame, kSilence},
{"S", "SYN",                 S,     {'N'},     {'.'},      0, "syn-sent-syn",         SYN_RCVD, kSynAck},
{"S", "SYN with data",       S,     {'N'},     {'.'},     20, "syn-sent-syn",         SYN_RCVD, kSynAck},
{"S", "RST|ACK of our SYN",  R | A, {'N'},     {'X'},      0, "syn-sent-refused",     CLOSED, kSilence},
{"S", "RST|ACK, bad ACK",    R | A, {'N'},     {'U'},      0, "syn-sent-bad-ack-rst", kSame, kSilence},
{"S", "RST|ACK, future ACK", R | A, {'N'},     {'X', 1},   0, "syn-sent-bad-ack-rst", kSame, kSilence},
{"S", "RST without ACK",     R,     {'N'},     {'.'},      0, "syn-sent-rst-no-ack",  kSame, kSilence},

// --- SYN_RCVD: §3.10.7.4, RFC 5961; record and TCB alike, unless said -----------------------------------
{"rRf", "the same SYN",       S,     {'I'},     {'.'},      0, "syn-rcvd-repeated-syn",     kSame, kSynAck},
{"rRf", "the same SYN, data", S,     {'I'},     {'.'},     20, "syn-rcvd-repeated-syn",     kSame, kSynAck},
{"rRf", "SYN in window",      S,     {'N', 9},  {'.'},      0, "syn-rcvd-syn-challenge",    kSame, kAckNow},
{"rRf", "SYN at RCV.NXT",     S,     {'N'},     {'.'},      0, "syn-rcvd-syn-challenge",    kSame, kAckNow},
{"rRf", "SYN with data",      S,     {'N', 9},  {'.'},     20, "syn-rcvd-syn-challenge",    kSame, kAckNow},
{"rRf", "SYN beyond window",  S,     {'W', 9},  {'.'},      0, "syn-rcvd-out-of-window",    kSame, kAckNow},
{"rRf", "SYN, old",           S,     {'I', -9}, {'.'},      0, "syn-rcvd-out-of-window",    kSame, kAckNow},
{"rRf", "SYN|FIN in window",  S | F, {'N', 9},  {'.'},      0, "syn-rcvd-syn-challenge",    kSame, kAckNow},
{"rf", "SYN|ACK of peer",    S | A, {'I'},     {'X'},      0, "syn-rcvd-out-of-window",    kSame, kAckNow},
{"R",  "SYN|ACK of peer",    S | A, {'I'},     {'X'},      0, "syn-rcvd-syn-ack",          ESTABLISHED, kSilence},
{"Rf", "SYN|ACK, bad ACK",   S | A, {'I'},     {'U'},      0, "syn-rcvd-out-of-window",    kSame, kAckNow},
{"rRf", "SYN|ACK in window",  S | A, {'N', 9},  {'X'},      0, "syn-rcvd-syn-challenge",    kSame, kAckNow},
{"rRf", "ACK",                A,     {'N'},     {'X'},      0, "syn-rcvd-ack",              ESTABLISHED, kSilence},
{"rRf", "ACK, right edge",    A,     {'W'},     {'X'},      0, "syn-rcvd-ack",              ESTABLISHED, kSilence},
{"rRf", "keepalive probe",    A,     {'N', -1}, {'X'},      0, "syn-rcvd-out-of-window",    kSame, kAckNow},
{"rRf", "ACK, old",           A,     {'N'},     {'U'},      0, "syn-rcvd-bad-ack",          kSame, kReset},
{"rRf", "ACK, far below",     A,     {'N'},     {'O', -9},  0, "syn-rcvd-bad-ack",          kSame, kReset},
{"rRf", "ACK, future",        A,     {'N'},     {'X', 1},   0, "syn-rcvd-bad-ack",          kSame, kReset},
{"rRf", "data",               A,     {'N'},     {'X'},     20, "syn-rcvd-ack data",         ESTABLISHED, kAckSoon, 20},
{"rRf", "data, bad ACK",      A,     {'N'},     {'X', 1},  20, "syn-rcvd-bad-ack",          kSame, kReset},
{"rRf", "data, gap",          A,     {'N', 9},  {'X'},     20, "syn-rcvd-ack data-out-of-order", ESTABLISHED, kAckNow},
{"rRf", "data, half old",     A,     {'N', -10},{'X'},     20, "syn-rcvd-ack data",         ESTABLISHED, kAckSoon, 10},
{"rRf", "data, right edge",   A,     {'W', -10},{'X'},     20, "syn-rcvd-ack data-out-of-order", ESTABLISHED, kAckNow},
{"rRf", "urgent data",    U | A,     {'N'},     {'X'},     20, "syn-rcvd-ack data",         ESTABLISHED, kAckSoon, 20},
{"rRf", "data, old",          A,     {'N', -20},{'X'},     20, "syn-rcvd-out-of-window",    kSame, kAckNow},
{"rRf", "data, beyond",       A,     {'W'},     {'X'},     20, "syn-rcvd-out-of-window",    kSame, kAckNow},
{"rRf", "FIN",                F | A, {'N'},     {'X'},      0, "syn-rcvd-ack fin",          CLOSE_WAIT, kAckSoon, 1},
{"rRf", "FIN, data half old", F | A, {'N', -10},{'X'},     20, "syn-rcvd-ack fin",          CLOSE_WAIT, kAckSoon, 11},
{"rRf", "FIN, right edge",    F | A, {'W', -10},{'X'},     20, "syn-rcvd-ack data-out-of-order", ESTABLISHED, kAckNow},
{"rRf", "FIN without ACK",    F,     {'N'},     {'.'},      0, "syn-rcvd-no-ack",           kSame, kSilence},
{"rRf", "no flags",           0,     {'N'},     {'.'},      0, "syn-rcvd-no-ack",           kSame, kSilence},
{"r",  "RST, exact",         R,     {'N'},     {'.'},      0, "syn-rcvd-rst",              LISTEN, kSilence},
{"r",  "RST|ACK, bad ACK",   R | A, {'N'},     {'X', 5},   0, "syn-rcvd-rst",              LISTEN, kSilence},
{"Rf", "RST, exact",         R,     {'N'},     {'.'},      0, "syn-rcvd-rst-active",       CLOSED, kSilence},
{"Rf", "RST|ACK, bad ACK",   R | A, {'N'},     {'X', 5},   0, "syn-rcvd-rst-active",       CLOSED, kSilence},
{"rRf", "RST in window",      R,     {'N', 9},  {'.'},      0, "syn-rcvd-rst-challenge",    kSame, kAckNow},
{"rRf", "RST beyond",         R,     {'W', 1},  {'.'},      0, "syn-rcvd-out-of-window-rst", kSame, kSilence},
{"rRf", "RST, right edge",    R,     {'W'},     {'.'},      0, "syn-rcvd-out-of-window-rst", kSame, kSilence},
{"rRf", "RST, old",           R,     {'N', -1}, {'.'},      0, "syn-rcvd-out-of-window-rst", kSame, kSilence},
{"rRf", "old timestamp",      A,     {'N'},     {'X'},     20, "syn-rcvd-paws",             kSame, kAckNow, 0, kOldTimestamp},
{"rRf", "SYN, old timestamp", S,     {'N', 9},  {'.'},      0, "syn-rcvd-paws",             kSame, kAckNow, 0, kOldTimestamp},
{"r",  "RST, no timestamp",   R,     {'N'},     {'.'},      0, "syn-rcvd-rst",              LISTEN, kSilence, 0, kNoTimestamp},
{"Rf", "RST, no timestamp",   R,     {'N'},     {'.'},      0, "syn-rcvd-rst-active",       CLOSED, kSilence, 0, kNoTimestamp},
{"rRf", "no timestamp",       A,     {'N'},     {'X'},      0, "syn-rcvd-ack",              ESTABLISHED, kSilence, 0, kNoTimestamp},

// --- Synchronized states: first, the sequence number -----------------------------------------------------
{"E12WCL", "ACK, old number",     A,     {'N', -9},  {'X'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "ACK, beyond window",  A,     {'W', 1},   {'X'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "data, old",           A,     {'N', -20}, {'X'},    20, "out-of-window", kSame, kAckNow},
{"E12WCL", "data, beyond window", A,     {'W'},      {'X'},    20, "out-of-window", kSame, kAckNow},
{"E12WCL", "FIN, old",            F | A, {'N', -1},  {'X'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "FIN, beyond window",  F | A, {'W'},      {'X'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "no flags, old",       0,     {'N', -9},  {'.'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "keepalive probe",     A,     {'N', -1},  {'X'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "keepalive probe, byte", A,   {'N', -1},  {'U'},     1, "out-of-window", kSame, kAckNow},
{"E12WCL", "FIN with data, old",  F | A, {'N', -21}, {'U'},    20, "out-of-window", kSame, kAckNow},
// The SYN that opened: its number lies before the window.
{"E12WCL", "the same SYN",        S,     {'I'},      {'.'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "the same SYN|ACK",    S | A, {'I'},      {'U'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "SYN, old",            S,     {'I', -99}, {'.'},     0, "out-of-window", kSame, kAckNow},
{"E12WCL", "SYN, beyond window",  S,     {'W', 9},   {'.'},     0, "out-of-window", kSame, kAckNow},
// ... PAWS, before it.
{"E12WCL", "data, old timestamp", A,     {'N'},      {'X'},    20, "paws", kSame, kAckNow, 0, kOldTimestamp},
{"E12WCL", "ACK, old timestamp",  A,     {'N'},      {'X'},     0, "paws", kSame, kAckNow, 0, kOldTimestamp},
{"E12WCL", "FIN, old timestamp",  F | A, {'N'},      {'X'},     0, "paws", kSame, kAckNow, 0, kOldTimestamp},
{"E12WCL", "SYN, old timestamp",  S,     {'N', 9},   {'.'},     0, "paws", kSame, kAckNow, 0, kOldTimestamp},

// --- Second, RST: RFC 5961 §3 ---------------------------------------------------------------------------
{"E12", "RST, exact",             R,     {'N'},      {'.'},     0, "rst",             CLOSED, kSilence},
{"E12", "RST|ACK, bad ACK",       R | A, {'N'},      {'X', 9},  0, "rst",             CLOSED, kSilence},
{"E12", "RST, old timestamp",     R,     {'N'},      {'.'},     0, "rst",             CLOSED, kSilence, 0, kOldTimestamp},
{"W",   "RST, exact",             R,     {'N'},      {'.'},     0, "rst-close-wait",  CLOSED, kSilence},
{"CL",  "RST, exact",             R,     {'N'},      {'.'},     0, "rst-closing",     CLOSED, kSilence},
{"E12", "RST, no timestamp",      R,     {'N'},      {'.'},     0, "rst",             CLOSED, kSilence, 0, kNoTimestamp},
{"W",   "RST, no timestamp",      R,     {'N'},      {'.'},     0, "rst-close-wait",  CLOSED, kSilence, 0, kNoTimestamp},
{"CL",  "RST, no timestamp",      R,     {'N'},      {'.'},     0, "rst-closing",     CLOSED, kSilence, 0, kNoTimestamp},
{"E12WCL", "RST in window",       R,     {'N', 1},   {'.'},     0, "rst-challenge",   kSame, kAckNow},
{"E12WCL", "RST|ACK in window",   R | A, {'W', -1},  {'X'},     0, "rst-challenge",   kSame, kAckNow},
{"E12WCL", "RST, right edge",     R,     {'W'},      {'.'},     0, "out-of-window-rst", kSame, kSilence},
{"E12WCL", "RST beyond window",   R,     {'W', 1},   {'.'},     0, "out-of-window-rst", kSame, kSilence},
{"E12WCL", "RST, old",            R,     {'N', -1},  {'.'},     0, "out-of-window-rst", kSame, kSilence},
{"E12WCL", "RST|SYN, old",        R | S, {'I'},      {'.'},     0, "out-of-window-rst", kSame, kSilence},

// --- Fourth, SYN: RFC 5961 §4 ---------------------------------------------------------------------------
{"E12WCL", "SYN at RCV.NXT",      S,     {'N'},      {'.'},     0, "syn-challenge",   kSame, kAckNow},
{"E12WCL", "SYN in window",       S,     {'N', 9},   {'.'},     0, "syn-challenge",   kSame, kAckNow},
{"E12WCL", "SYN with data",       S,     {'N', 9},   {'.'},    20, "syn-challenge",   kSame, kAckNow},
{"E12WCL", "the same SYN, data",  S,     {'I'},      {'.'},    20, "syn-challenge",   kSame, kAckNow},
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
{"1",      "ACK, right edge",     A,     {'W'},      {'X'},     0, "fin-acked",           FIN_WAIT_2, kSilence},
{"2",      "ACK, right edge",     A,     {'W'},      {'X'},     0, "ack-nothing-new", kSame, kSilence},
{"C",      "ACK, right edge",     A,     {'W'},      {'X'},     0, "fin-acked-closing",   TIME_WAIT,  kSilence},
{"L",      "ACK, right edge",     A,     {'W'},      {'X'},     0, "fin-acked-last-ack",  CLOSED,     kSilence},
{"EW",     "ACK, no timestamp",   A,     {'N'},      {'X'},     0, "ack",             kSame, kSilence, 0, kNoTimestamp},
{"1",      "ACK, no timestamp",   A,     {'N'},      {'X'},     0, "fin-acked",           FIN_WAIT_2, kSilence, 0, kNoTimestamp},
{"2",      "ACK, no timestamp",   A,     {'N'},      {'X'},     0, "ack-nothing-new", kSame, kSilence, 0, kNoTimestamp},
{"C",      "ACK, no timestamp",   A,     {'N'},      {'X'},     0, "fin-acked-closing",   TIME_WAIT,  kSilence, 0, kNoTimestamp},
{"L",      "ACK, no timestamp",   A,     {'N'},      {'X'},     0, "fin-acked-last-ack",  CLOSED,     kSilence, 0, kNoTimestamp},
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
{"E12", "urgent data",            U | A, {'N'},      {'U'},    20, "data",              kSame, kAckSoon, 20},
{"WCL", "urgent data",            U | A, {'N'},      {'U'},    20, "data-after-fin",    kSame, kSilence},
{"WCL", "data, half of it old",   A,     {'N', -10}, {'U'},    20, "data-after-fin",    kSame, kSilence},
{"WCL", "data over right edge",   A,     {'W', -10}, {'U'},    20, "data-after-fin",    kSame, kSilence},
{"1",   "data, ACK of our FIN",   A,     {'N'},      {'X'},    20, "fin-acked data",    FIN_WAIT_2, kAckSoon, 20},
{"WCL", "data beyond the FIN",    A,     {'N'},      {'U'},    20, "data-after-fin",    kSame, kSilence},
{"C",   "data, ACK of our FIN",   A,     {'N'},      {'X'},    20, "fin-acked-closing", TIME_WAIT, kSilence},
{"L",   "data, ACK of our FIN",   A,     {'N'},      {'X'},    20, "fin-acked-last-ack", CLOSED, kSilence},

// --- Eighth, the FIN ---------------------------------------------------------------------------------------
{"E",   "FIN",                    F | A, {'N'},      {'U'},     0, "fin",               CLOSE_WAIT, kAckSoon, 1},
{"E",   "FIN with data",          F | A, {'N'},      {'U'},    20, "fin",               CLOSE_WAIT, kAckSoon, 21},
{"E",   "FIN, data half old",     F | A, {'N', -10}, {'U'},    20, "fin",               CLOSE_WAIT, kAckSoon, 11},
{"E",   "FIN, data all old",      F | A, {'N', -20}, {'U'},    20, "fin",               CLOSE_WAIT, kAckSoon, 1},
{"E",   "FIN, no timestamp",      F | A, {'N'},      {'U'},     0, "fin",               CLOSE_WAIT, kAckSoon, 1, kNoTimestamp},
{"1",   "FIN, data half old",     F | A, {'N', -10}, {'U'},    20, "fin-crossed",       CLOSING,    kAckNow, 11},
{"2",   "FIN, data half old",     F | A, {'N', -10}, {'X'},    20, "fin-second",        TIME_WAIT,  kAckNow, 11},
{"WCL", "FIN, data half old",     F | A, {'N', -10}, {'U'},    20, "data-after-fin",    kSame,      kSilence},
{"E12", "FIN, last number",       F | A, {'W', -1},  {'U'},     0, "data-out-of-order", kSame,      kAckNow},
{"E12", "FIN at right edge",      F | A, {'W', -20}, {'U'},    20, "data-out-of-order", kSame,      kAckNow},
{"E12", "FIN, data over edge",    F | A, {'W', -10}, {'U'},    20, "data-out-of-order", kSame,      kAckNow},
{"WCL", "FIN, data over edge",    F | A, {'W', -10}, {'U'},    20, "data-after-fin",    kSame,      kSilence},
{"1",   "FIN, not ours acked",    F | A, {'N'},      {'U'},     0, "fin-crossed",       CLOSING,    kAckNow, 1},
{"1",   "FIN and ACK of ours",    F | A, {'N'},      {'X'},     0, "fin-with-ack",      TIME_WAIT,  kAckNow, 1},
{"1",   "FIN, data, ACK of ours", F | A, {'N'},      {'X'},    20, "fin-acked fin-second", TIME_WAIT, kAckNow, 21},
{"1",   "FIN with data",          F | A, {'N'},      {'U'},    20, "fin-crossed",       CLOSING,    kAckNow, 21},
{"2",   "FIN",                    F | A, {'N'},      {'X'},     0, "fin-second",        TIME_WAIT,  kAckNow, 1},
{"2",   "FIN with data",          F | A, {'N'},      {'X'},    20, "fin-second",        TIME_WAIT,  kAckNow, 21},
{"E12", "FIN, gap",               F | A, {'N', 9},   {'U'},     0, "data-out-of-order", kSame,      kAckNow},
{"E12", "FIN with data, gap",     F | A, {'N', 9},   {'U'},    20, "data-out-of-order", kSame,      kAckNow},
{"WCL", "FIN beyond the FIN",     F | A, {'N'},      {'U'},     0, "data-after-fin",    kSame,      kSilence},
{"L",   "FIN again, ACK of ours", F | A, {'N', -1},  {'X'},     0, "out-of-window",     kSame,      kAckNow},

// --- TIME_WAIT: §3.10.7.4, RFC 6191, RFC 1337 ----------------------------------------------------------------
{"T", "FIN again",           F | A, {'N', -1},  {'X'},     0, "time-wait-repeated-fin", kSame, kAckNow},
{"T", "FIN with data again", F | A, {'N', -21}, {'X'},    20, "time-wait-repeated-fin", kSame, kAckNow},
{"T", "data, old",           A,     {'N', -20}, {'X'},    20, "time-wait-old",          kSame, kAckNow},
{"T", "data, new",           A,     {'N'},      {'X'},    20, "time-wait-old",          kSame, kAckNow},
{"T", "data, beyond window", A,     {'W'},      {'X'},    20, "time-wait-old",          kSame, kAckNow},
{"T", "data, half of it old", A,    {'N', -10}, {'X'},    20, "time-wait-old",          kSame, kAckNow},
{"T", "data over right edge", A,    {'W', -10}, {'X'},    20, "time-wait-old",          kSame, kAckNow},
{"T", "FIN, data half old",  F | A, {'N', -10}, {'X'},    20, "time-wait-old",          kSame, kAckNow},
{"T", "urgent data",         U | A, {'N'},      {'X'},    20, "time-wait-old",          kSame, kAckNow},
{"T", "ACK, right edge",     A,     {'W'},      {'X'},     0, "time-wait-old",          kSame, kAckNow},
{"T", "ACK, no timestamp",   A,     {'N'},      {'X'},     0, "time-wait-ack",          kSame, kSilence, 0, kNoTimestamp},
{"T", "ACK, old timestamp",  A,     {'N'},      {'X'},     0, "time-wait-old",          kSame, kAckNow, 0, kOldTimestamp},
{"T", "FIN, old timestamp",  F | A, {'N', -1},  {'X'},     0, "time-wait-repeated-fin", kSame, kAckNow, 0, kOldTimestamp},
{"T", "SYN, old timestamp",  S,     {'N', 9},   {'.'},     0, "time-wait-old-syn",      kSame, kAckNow, 0, kOldTimestamp},
{"T", "SYN with data",       S,     {'N', 9},   {'.'},    20, "time-wait-old-syn",      kSame, kAckNow},
{"T", "RST, no timestamp",   R,     {'N'},      {'.'},     0, "time-wait-rst",          CLOSED, kSilence, 0, kNoTimestamp},
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
{"0lSrRfE12WCLT", "bad checksum", A, {'N'},      {'X'},     0, "", kSame, kSilence, 0, kBadChecksum},
{"0lSrRfE12WCLT", "SYN, bad checksum", S, {'N'}, {'.'},     0, "", kSame, kSilence, 0, kBadChecksum},
{"0lSrRfE12WCLT", "RST, bad checksum", R, {'N'}, {'.'},     0, "", kSame, kSilence, 0, kBadChecksum},
};
// clang-format on

}  // namespace estab::test
