#include "oracle/matrix_scripts.h"

#include <cctype>

#include "matrix/table.h"
#include "oracle/packet.h"

namespace oracle {
namespace {

using estab::test::Number;
using estab::test::Row;
using estab::test::Twist;

const std::string kSynOptions = "<mss 1460,sackOK,ts 100000 0,nop,wscale 0>\n";
const std::string kEcho = " win=60000 <nop,nop,ts 100000 last>\n";
const std::string kListener = "l = socket\nbind l 80\nlisten l 8\n";
const std::string kConnect = "c = socket\nbind c 50000\nconnect c 80\n";
const std::string kOpen =
    kConnect + "< S. seq=0 ack=1 win=60000 <mss 1460,sackOK,ts 100000 last,nop,wscale 0>\n";
const std::string kShutdown = "shutdown c wr\n";

/// Where a connection stands: what brings it there, and its numbers, from the ISNs.
struct Place {
  std::string steps;
  int una, snd_nxt, rcv_nxt;
};

Place PlaceOf(char scene) {
  const std::string fin = "< F. seq=1 ack=1" + kEcho;
  const std::string fin_acked = kOpen + kShutdown + "< . seq=1 ack=2" + kEcho;
  switch (scene) {
    case '0':
      return {"flow 80 40000\n", 5000, 5000, 0};
    case 'l':
      return {kListener, 5000, 5000, 0};
    case 'S':
      return {kConnect, 0, 1, 0};
    case 'r':
      return {kListener + "< S seq=0 win=60000 " + kSynOptions, 0, 1, 1};
    case 'R':
      return {kConnect + "< S seq=0 win=60000 " + kSynOptions, 0, 1, 1};
    case 'f':
      return {"set net.ipv4.tcp_fastopen 0x602\n" + kListener +
                  "< S seq=0 win=60000 <mss 1460,sackOK,ts 100000 0,nop,wscale 0,kind 34,nop,nop>\n"
                  "c = accept l\n",
              0, 1, 1};
    case 'E':
      return {kOpen + "send c 100\n", 1, 101, 1};
    case 'W':
      return {kOpen + fin + "send c 100\n", 1, 101, 2};
    case 'L':
      return {kOpen + fin + kShutdown, 1, 2, 2};
    case '1':
      return {kOpen + kShutdown, 1, 2, 1};
    case 'C':
      return {kOpen + kShutdown + fin, 1, 2, 2};
    case '2':
      return {fin_acked, 2, 2, 1};
    default:
      return {fin_acked + "< F. seq=1 ack=2" + kEcho, 2, 2, 2};
  }
}

std::string SeqOf(const Place& place, Number n) {
  if (n.base == 'W') return " edge=" + std::to_string(n.offset);
  return " seq=" + std::to_string((n.base == 'I' ? 0 : place.rcv_nxt) + n.offset);
}

std::string AckOf(const Place& place, Number n) {
  if (n.base == '.') return "";
  const int base = n.base == 'U' ? place.una : n.base == 'X' ? place.snd_nxt : place.una - 60000;
  return " ack=" + std::to_string(base + n.offset);
}

std::string OptionsOf(const Row& row) {
  if (row.twist == Twist::kZeroOption) return " <raw 2,raw 0,raw 5,raw 180>";
  if (row.twist == Twist::kCutOption) return " <raw 2,raw 9,raw 5,raw 180>";
  const std::string echo = (row.flags & kAck) != 0 ? "last" : "0";
  const std::string ts = (row.twist == Twist::kOldTimestamp ? "ts 99000 " : "ts 100050 ") + echo;
  if ((row.flags & kSyn) != 0) return " <mss 1460,sackOK," + ts + ",nop,wscale 0>";
  return row.twist == Twist::kNoTimestamp ? "" : " <nop,nop," + ts + ">";
}

std::string NameOf(char scene, const char* what) {
  std::string name = std::string(1, scene) + "-";
  for (; *what != '\0'; ++what) {
    const bool word = std::isalnum(static_cast<unsigned char>(*what)) != 0;
    if (word || name.back() != '-') name += word ? *what : '-';
  }
  return name;
}

std::string ScriptOf(char scene, const Row& row) {
  const Place place = PlaceOf(scene);
  // Duplicates told in SACK blocks would hide all else.
  std::string text =
      "=== " + NameOf(scene, row.what) + "\nset net.ipv4.tcp_dsack 0\n" + place.steps;
  text += "+0.06 < " + FlagsText(static_cast<std::uint8_t>(row.flags)) + SeqOf(place, row.seq) +
          AckOf(place, row.ack) + " win=60000";
  if (row.data != 0) text += " len=" + std::to_string(row.data);
  if ((row.flags & kUrg) != 0) text += " urg=" + std::to_string(row.data);
  if (row.twist == Twist::kBadChecksum) text += " badsum";
  text += OptionsOf(row) + "\n";
  if (scene == '0') return text;
  // Who answers to what the listener has made.
  if (scene == 'l' || scene == 'r') text += "c = accept l\n";
  return text + "state c\npoll c\nrecv c 200\ngetsockopt c SO_ERROR\n";
}

}  // namespace

std::string MatrixScripts() {
  std::string text;
  for (const Row& row : estab::test::kTable) {
    for (const char* scene = row.scenes; *scene != '\0'; ++scene) text += ScriptOf(*scene, row);
  }
  return text;
}

}  // namespace oracle
