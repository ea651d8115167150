#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "observe/ladder.h"
#include "observe/ladder_builder.h"
#include "observe/ladder_json.h"
#include "observe/ladder_svg.h"
#include "observe/ladder_text.h"
#include "observe/text.h"
#include "tcp/rules.h"

namespace estab::observe {
namespace {

using namespace std::chrono_literals;

// A ladder made by hand; A's ISN is 1000, B's 5000.
struct Model {
  Ladder ladder;

  void Segment(Side from, Duration sent, std::optional<Duration> arrived, std::uint16_t flags,
               std::uint32_t seq, std::uint32_t ack, std::string note = {}) {
    LadderSegment s;
    s.from = from;
    s.sent = Time(sent);
    if (arrived) s.arrived = Time(*arrived);
    s.segment.flags = flags;
    s.seq_base = from == Side::kA ? 1000u : 5000u;
    s.ack_base = from == Side::kA ? 5000u : 1000u;
    s.segment.seq = *s.seq_base + seq;
    s.segment.ack = *s.ack_base + ack;
    s.note = std::move(note);
    LadderRow& row = ladder.rows.emplace_back();
    row.at = Time(sent);
    row.what = std::move(s);
  }
  void State(Side side, Duration at, estab::State from, estab::State to, const char* rule) {
    ladder.rows.push_back({Time(at), LadderState{side, from, to, rule, "", "", 1}});
  }
};

Model Handshake() {
  Model m;
  m.ladder.title = "open";
  m.ladder.hosts = {LadderHost{"A", "192.0.2.1:40000", false},
                    LadderHost{"B", "192.0.2.2:80", true}};
  m.ladder.rows.push_back({Time(0ms), LadderCall{Side::kA, "connect()", "EINPROGRESS"}});
  m.State(Side::kA, 0ms, State::kClosed, State::kSynSent, "active-open");
  m.Segment(Side::kA, 0ms, std::nullopt, kSyn, 0, 0, "lost by fault");
  m.ladder.rows.push_back(
      {Time(1s), LadderTimer{Side::kA, TimerKind::kRetransmit, Time(0s), Time(1s), true}});
  m.Segment(Side::kA, 1s, 1010ms, kSyn, 0, 0);
  m.State(Side::kB, 1010ms, State::kListen, State::kSynRcvd, "listen-syn");
  m.Segment(Side::kB, 1010ms, 1020ms, kSyn | kAck, 0, 1);
  m.State(Side::kA, 1020ms, State::kSynSent, State::kEstablished, "syn-sent-established");
  return m;
}

TEST(LadderText, DrawsAHandshakeWithALostSyn) {
  const std::string expected =
      "open\n"
      "\n"
      "                         A                               B (inferred)\n"
      "           192.0.2.1:40000                               192.0.2.2:80\n"
      "                    CLOSED |                           | LISTEN\n"
      "    0.000        connect() |                           |\n"
      "             = EINPROGRESS |                           |\n"
      "                  SYN_SENT |                           |\n"
      "            by active-open |                           |\n"
      "                           |---- SYN seq=0 ----X       |\n"
      "                           |      (lost by fault)      |\n"
      "                           :                           :\n"
      "    1.000       retransmit |                           |\n"
      "                timer, 1 s |                           |\n"
      "                           |------- SYN seq=0 -------->|\n"
      "    1.010                  |                           | SYN_RCVD\n"
      "                           |                           | by listen-syn\n"
      "                           |<-- SYN|ACK seq=0 ack=1 ---|\n"
      "    1.020      ESTABLISHED |                           |\n"
      "              by syn-sent- |                           |\n"
      "               established |                           |\n";
  const std::string got = LadderToText(Handshake().ladder, {.width = 72, .ascii = true});
  // The figure's exact measures are less important than what it says; see it when it changes.
  EXPECT_EQ(got, expected) << got;
}

TEST(LadderText, CrossingSegmentsHaveTwoLines) {
  Model m;
  m.Segment(Side::kA, 0ms, 10ms, kSyn, 0, 0);
  m.Segment(Side::kB, 5ms, 15ms, kSyn, 0, 0);
  const std::string got = LadderToText(m.ladder, {.brief_flags = true});
  std::size_t labels = 0;
  for (std::size_t at = got.find("S seq=0"); at != std::string::npos;
       at = got.find("S seq=0", at + 1)) {
    ++labels;
  }
  EXPECT_EQ(labels, 4u) << got;
  // In the order of time: A leaves, B leaves, A's arrives, B's arrives.
  EXPECT_LT(got.find("  0.000"), got.find("  0.005")) << got;
  EXPECT_LT(got.find("  0.010"), got.find("  0.015")) << got;
}

TEST(LadderText, LinesFitTheWidthAndHaveNoTrailingBlanks) {
  Model m = Handshake();
  m.ladder.rows.push_back({Time(2s), LadderNote{std::nullopt, std::string(300, 'n')}});
  m.ladder.rows.push_back({Time(2s), LadderCall{Side::kB, std::string(300, 'c'), "ok"}});
  m.State(Side::kB, 2s, State::kSynRcvd, State::kEstablished,
          "a-rule-with-a-name-far-too-long-for-it");
  for (const std::size_t width : {72u, 100u, 131u}) {
    const std::string text = LadderToText(m.ladder, {.width = width});
    std::size_t begin = 0;
    while (begin < text.size()) {
      const std::size_t end = text.find('\n', begin);
      const std::string_view line(text.data() + begin, end - begin);
      EXPECT_LE(Columns(line), width) << line;
      EXPECT_FALSE(line.ends_with(' ')) << line;
      begin = end + 1;
    }
  }
}

TEST(LadderText, ColoursOnlyIfAskedAndVerdictsLikewise) {
  Model m = Handshake();
  m.State(Side::kB, 2s, State::kSynRcvd, State::kSynRcvd, "a-verdict");
  EXPECT_EQ(LadderToText(m.ladder).find('\033'), std::string::npos);
  EXPECT_NE(LadderToText(m.ladder, {.color = true}).find("\033[31m"), std::string::npos);
  EXPECT_EQ(LadderToText(m.ladder).find("a-verdict"), std::string::npos);
  EXPECT_NE(LadderToText(m.ladder, {.verdicts = true}).find("a-verdict"), std::string::npos);
}

TEST(Ladder, NumbersInThreeStyles) {
  Model m;
  m.Segment(Side::kB, 0ms, 1ms, kSyn | kAck, 0, 1);
  m.Segment(Side::kA, 0ms, 1ms, kAck, 0xfffffff6u, 1);
  const auto label = [&](std::size_t row) {
    return SegmentLabel(m.ladder, std::get<LadderSegment>(m.ladder.rows[row].what));
  };
  EXPECT_EQ(label(0), "SYN|ACK seq=0 ack=1");
  EXPECT_EQ(label(1), "ACK seq=-10 ack=1");  // older than the SYN
  m.ladder.numbers = Numbers::kAbsolute;
  EXPECT_EQ(label(0), "SYN|ACK seq=5000 ack=1001");
  m.ladder.numbers = Numbers::kSymbolic;
  EXPECT_EQ(label(0), "SYN|ACK seq=y ack=x+1");
  EXPECT_EQ(label(1), "ACK seq=x-10 ack=y+1");
}

TEST(Ladder, ShortenKeepsEndsAndChangesOfState) {
  Model m;
  for (int i = 0; i < 100; ++i) m.Segment(Side::kA, i * 1ms, i * 1ms + 1us, kAck, 1, 1);
  m.ladder.rows.insert(m.ladder.rows.begin() + 50,
                       LadderRow{Time(50ms), LadderState{Side::kA, State::kEstablished,
                                                         State::kCloseWait, "r", "", "", 1}});
  Shorten(m.ladder, 5, 5);
  ASSERT_EQ(m.ladder.rows.size(), 13u);
  EXPECT_EQ(std::get<LadderNote>(m.ladder.rows[5].what).text, "45 rows left out");
  EXPECT_TRUE(std::holds_alternative<LadderState>(m.ladder.rows[6].what));
  EXPECT_EQ(std::get<LadderNote>(m.ladder.rows[7].what).text, "45 rows left out");
}

TEST(LadderSvg, IsWellFormedAndEscapes) {
  Model m = Handshake();
  m.ladder.title = "a <b> & \"c\"";
  const std::string svg = LadderToSvg(m.ladder);
  EXPECT_TRUE(svg.starts_with("<svg ")) << svg.substr(0, 80);
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_NE(svg.find("a &lt;b&gt; &amp; &quot;c&quot;"), std::string::npos);
  for (const char* state : {"CLOSED", "SYN_SENT", "SYN_RCVD", "ESTABLISHED", "LISTEN"}) {
    EXPECT_NE(svg.find(std::string(">") + state + "<"), std::string::npos) << state;
  }
  EXPECT_NE(svg.find("lost by fault"), std::string::npos);
}

TEST(LadderSvg, AnEmptyLadderIsAPictureToo) {
  EXPECT_TRUE(LadderToSvg({}).ends_with("</svg>\n"));
  EXPECT_FALSE(LadderToText({}).empty());
}

TEST(LadderJson, SaysWhatTheModelSays) {
  const auto json = nlohmann::json::parse(LadderToJson(Handshake().ladder));
  EXPECT_EQ(json["hosts"][1]["inferred"], true);
  ASSERT_EQ(json["rows"].size(), 8u);
  EXPECT_EQ(json["rows"][1]["to"], "SYN_SENT");
  EXPECT_TRUE(json["rows"][2]["arrived"].is_null());
  EXPECT_EQ(json["rows"][4]["arrived"], 1010000000);
  EXPECT_EQ(json["rows"][6]["seq"], 5000);
  EXPECT_EQ(json["rows"][6]["ack_isn"], 1000);
}

// --- Building
// -------------------------------------------------------------------------------------

const Tuple kOurs = {{IpAddress::V4(0xc0000201), 40000}, {IpAddress::V4(0xc0000202), 80}};

SegmentSummary Summary(std::uint16_t flags, std::uint32_t seq, std::uint32_t ack,
                       std::uint32_t length = 0) {
  SegmentSummary s;
  s.flags = flags;
  s.seq = seq;
  s.ack = ack;
  s.length = length;
  return s;
}

std::vector<State> StatesOf(const Ladder& ladder, Side side) {
  std::vector<State> states;
  for (const LadderRow& row : ladder.rows) {
    const auto* s = std::get_if<LadderState>(&row.what);
    if (s != nullptr && s->side == side) states.push_back(s->to);
  }
  return states;
}

TEST(LadderBuilder, InfersThePeerOfARealLink) {
  LadderBuilder builder({.one_sided = true});
  Observer* observer = builder.Of(Side::kA);
  EXPECT_NE(observer->Interests() & Observer::kSegments, 0u);
  int ms = 100;
  const auto segment = [&](bool sent, const SegmentSummary& s) {
    observer->OnSegment({Time(std::chrono::milliseconds(ms++)), 1, kOurs, sent, s});
  };
  segment(true, Summary(kSyn, 1000, 0));
  segment(false, Summary(kSyn | kAck, 5000, 1001));
  segment(true, Summary(kAck, 1001, 5001));
  segment(true, Summary(kFin | kAck, 1001, 5001));
  segment(false, Summary(kAck, 5001, 1002));
  segment(false, Summary(kFin | kAck, 5001, 1002));
  segment(true, Summary(kAck, 1002, 5002));
  const Ladder ladder = builder.Build();
  EXPECT_EQ(StatesOf(ladder, Side::kB),
            (std::vector<State>{State::kSynRcvd, State::kEstablished, State::kCloseWait,
                                State::kLastAck, State::kClosed}));
  EXPECT_TRUE(ladder.host(Side::kB).inferred);
  EXPECT_EQ(ladder.host(Side::kB).endpoint, "192.0.2.2:80");
  EXPECT_EQ(ladder.origin, Time(100ms));
  const std::string text = LadderToText(ladder);
  EXPECT_NE(text.find("SYN|ACK seq=0 ack=1"), std::string::npos) << text;
  EXPECT_NE(text.find("B (inferred)"), std::string::npos) << text;
}

TEST(LadderBuilder, InfersASimultaneousCloseAndAReset) {
  PeerInference peer;
  peer.Sent(Summary(kSyn, 1, 0));
  peer.Received(Summary(kSyn | kAck, 10, 2));
  EXPECT_EQ(peer.Sent(Summary(kAck, 2, 11))->to, State::kEstablished);
  EXPECT_EQ(peer.Sent(Summary(kFin | kAck, 2, 11))->to, State::kFinWait1);
  EXPECT_FALSE(peer.Received(Summary(kFin | kAck, 11, 2)).has_value());
  EXPECT_EQ(peer.Sent(Summary(kAck, 3, 12))->to, State::kClosing);
  EXPECT_EQ(peer.Received(Summary(kAck, 12, 3))->to, State::kTimeWait);
  PeerInference other;
  other.Received(Summary(kSyn, 1, 0));
  EXPECT_EQ(other.state(), State::kListen);
  EXPECT_EQ(other.Sent(Summary(kSyn | kAck, 1, 2))->to, State::kSynRcvd);
  EXPECT_EQ(other.Received(Summary(kRst, 2, 0))->to, State::kClosed);
}

TEST(LadderBuilder, FollowsTheFirstConnectionIfAsked) {
  LadderBuilder builder({.one_sided = true, .first_connection_only = true});
  Tuple listener = kOurs;
  listener.remote = {};
  Tuple second = kOurs;
  second.remote.port = 81;
  const Cause cause;
  Observer* observer = builder.Of(Side::kA);
  observer->OnRule({Time(0ms), 1, listener, State::kClosed, State::kListen, RuleId{0}, cause});
  observer->OnSegment({Time(1ms), 2, kOurs, false, Summary(kSyn, 1, 0)});
  observer->OnSegment({Time(2ms), 3, second, false, Summary(kSyn, 1, 0)});
  observer->OnRule({Time(3ms), 2, kOurs, State::kListen, State::kSynRcvd, RuleId{0}, cause});
  observer->OnRule({Time(3ms), 3, second, State::kListen, State::kSynRcvd, RuleId{0}, cause});
  EXPECT_EQ(StatesOf(builder.Build(), Side::kA), (std::vector<State>{State::kSynRcvd}));
}

TEST(LadderBuilder, SpansTimersAndRecordsCalls) {
  LadderBuilder builder;
  Observer* observer = builder.Of(Side::kB);
  using What = TimerEvent::What;
  const auto timer = [&](Duration at, TimerKind kind, What what) {
    observer->OnTimer({Time(at), 1, kOurs, kind, what, Time(at + 1s)});
  };
  timer(0s, TimerKind::kRetransmit, What::kArmed);
  timer(1ms, TimerKind::kRetransmit, What::kArmed);
  timer(1001ms, TimerKind::kRetransmit, What::kFired);
  timer(2s, TimerKind::kTimeWait, What::kArmed);
  timer(3s, TimerKind::kTimeWait, What::kArmed);
  timer(4s, TimerKind::kTimeWait, What::kCancelled);
  observer->OnCall({Time(5s), 1, kOurs, CallKind::kSend, 5, Error::kWouldBlock});
  observer->OnCall({Time(5s), 1, kOurs, CallKind::kReceive, -1, Error::kConnectionReset});
  const Ladder ladder = builder.Build();
  ASSERT_EQ(ladder.rows.size(), 5u);
  const auto& fired = std::get<LadderTimer>(ladder.rows[0].what);
  EXPECT_TRUE(fired.fired);
  EXPECT_EQ(fired.armed, Time(1ms));
  EXPECT_FALSE(std::get<LadderTimer>(ladder.rows[1].what).fired);
  EXPECT_EQ(std::get<LadderTimer>(ladder.rows[2].what).armed, Time(3s));
  EXPECT_EQ(std::get<LadderCall>(ladder.rows[3].what).result, "5 bytes");
  EXPECT_EQ(std::get<LadderCall>(ladder.rows[4].what).result, "ECONNRESET");
}

TEST(LadderBuilder, TellsConnectionsApartAndShowsAClosedWindow) {
  LadderBuilder builder;
  Endpoint other = kOurs.local;
  other.port = 40001;
  Endpoint elsewhere = kOurs.remote;
  elsewhere.port = 81;
  const auto add = [&](const Endpoint& from, const Endpoint& to, std::uint16_t window) {
    LadderSegment s;
    s.segment = Summary(kAck, 1, 1);
    s.segment.window = window;
    builder.AddSegment(s, from, to);
  };
  add(kOurs.local, kOurs.remote, 100);
  add(other, kOurs.remote, 0);
  add(kOurs.local, kOurs.remote, 100);
  add(other, kOurs.remote, 7);
  add(other, kOurs.remote, 8);
  add(other, elsewhere, 9);
  const Ladder ladder = builder.Build();
  std::vector<std::string> labels;
  for (const LadderRow& row : ladder.rows) {
    labels.push_back(SegmentLabel(ladder, std::get<LadderSegment>(row.what), true));
  }
  EXPECT_EQ(labels, (std::vector<std::string>{". seq=1 ack=1", ":40001 . seq=1 ack=1 win=0",
                                              ". seq=1 ack=1", ":40001 . seq=1 ack=1 win=7",
                                              ":40001 . seq=1 ack=1", ":40001-:81 . seq=1 ack=1"}));
}

TEST(LadderBuilder, DrawsOnlyTheConnectionsAskedFor) {
  LadderBuilder builder;
  builder.OnlyPorts({40001});
  Tuple other = kOurs;
  other.local.port = 40001;
  builder.AddSegment({}, kOurs.local, kOurs.remote);
  builder.AddSegment({}, other.local, other.remote);
  LadderSegment answer;
  answer.from = Side::kB;
  builder.AddSegment(answer, other.remote, other.local);
  const Cause cause;
  builder.Of(Side::kB)->OnRule(
      {Time(0s), 1, Tuple{kOurs.remote, {}}, State::kClosed, State::kListen, RuleId{0}, cause});
  EXPECT_EQ(builder.Build().rows.size(), 3u);
}

TEST(Ladder, ATimersLabelIsRoundedToItsTick) {
  LadderTimer timer;
  timer.ended = Time(60'000'929'368ns);
  timer.kind = TimerKind::kTimeWait;
  EXPECT_EQ(TimerLabel(timer), "2MSL timer, 60.001 s");
  timer.ended = Time(300us);
  EXPECT_EQ(TimerLabel(timer), "2MSL timer, 300 us");
}

TEST(LadderText, WhatDoesNotFitIsWrittenBriefly) {
  Model m;
  m.Segment(Side::kA, 0ms, 1ms, kPsh | kAck, 1234567, 7654321);
  std::get<LadderSegment>(m.ladder.rows[0].what).segment.length = 1448;
  const std::string text = LadderToText(m.ladder, {.width = 80});
  EXPECT_NE(text.find("P. seq=1234567"), std::string::npos) << text;
}

TEST(LadderBuilder, BoundsItsRowsButKeepsChangesOfState) {
  LadderBuilder builder({.max_rows = 10});
  for (int i = 0; i < 20; ++i) {
    LadderSegment s;
    s.segment = Summary(kAck, 1, 1);
    builder.AddSegment(s, kOurs.local, kOurs.remote);
  }
  const Cause cause;
  builder.Of(Side::kA)->OnRule(
      {Time(1s), 1, kOurs, State::kClosed, State::kSynSent, RuleId{0}, cause});
  const Ladder ladder = builder.Build();
  EXPECT_EQ(ladder.rows.size(), 11u);
  EXPECT_EQ(ladder.left_out, 10u);
  EXPECT_NE(LadderToText(ladder).find("10 more rows were not recorded"), std::string::npos);
}

TEST(Text, TimesAndFlags) {
  EXPECT_EQ(SecondsText(63s, 3), "63.000");
  EXPECT_EQ(SecondsText(1500us, 6), "0.001500");
  EXPECT_EQ(SecondsText(-1ms, 3), "-0.001");
  EXPECT_EQ(SecondsText(7s, 0), "7");
  EXPECT_EQ(SpanText(200ms), "200 ms");
  EXPECT_EQ(SpanText(1500ms), "1.5 s");
  EXPECT_EQ(SpanText(40us), "40 us");
  EXPECT_EQ(SpanText(1ns), "1 ns");
  EXPECT_EQ(FlagsText(kSyn | kAck), "SYN|ACK");
  EXPECT_EQ(FlagsText(kFin | kPsh | kAck, true), "FP.");
  EXPECT_EQ(FlagsText(0), "none");
  EXPECT_EQ(Fit("äöü", 2), "ä…");
  EXPECT_EQ(Fit("abc", 3), "abc");
}

}  // namespace
}  // namespace estab::observe
