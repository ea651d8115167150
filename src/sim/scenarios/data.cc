// Between opening and closing: bytes arrive in order, once, unchanged.
#include <algorithm>

#include "observe/format.h"
#include "observe/text.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

// How often A sent each byte range beyond the first time.
std::size_t Repeated(const ScenarioContext& ctx) {
  std::size_t repeats = 0;
  std::uint32_t next = ctx.Isn(Side::kA) + 1;
  for (const SentSegment& s : ctx.sent()) {
    if (s.from != Side::kA || s.segment.length == 0) continue;
    const std::uint32_t end = s.segment.seq + s.segment.length;
    if (static_cast<std::int32_t>(end - next) <= 0) {
      ++repeats;
    } else {
      next = end;
    }
  }
  return repeats;
}

std::size_t DuplicateAcks(const ScenarioContext& ctx) {
  std::size_t count = 0;
  std::uint32_t last = 0;
  for (const SentSegment& s : ctx.sent()) {
    if (s.from != Side::kB || s.segment.length != 0 || (s.segment.flags & kSyn) != 0) continue;
    count += s.segment.ack == last ? 1 : 0;
    last = s.segment.ack;
  }
  return count;
}

constexpr Parameter kLossParameters[] = {
    {"segments", "10", "full-sized segments that are sent"},
    {"lost", "3", "which of them is lost"},
    kDelay,
};

std::string FullSegments(ScenarioContext& ctx, const Pair& pair) {
  const auto segments = static_cast<std::size_t>(ctx.Number("segments", 2, 60));
  return Pattern(segments * InfoOf(ctx, Side::kA, pair.a).send_mss);
}

void Loss(ScenarioContext& ctx) {
  UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kBegin);
  const std::string data = FullSegments(ctx, pair);
  const std::int64_t lost = ctx.Number("lost", 1, ctx.Number("segments", 2, 60));
  const std::uint32_t mss = InfoOf(ctx, Side::kA, pair.a).send_mss;
  ctx.Fault(fmt::format("drop the {}th data from A", lost));
  const Duration rto = InfoOf(ctx, Side::kA, pair.a).rto;
  Transfer(ctx, pair, data, 20s);
  ctx.Expect(Repeated(ctx) >= 1, "what was lost is sent again");
  const bool three_behind = lost + 3 <= ctx.Number("segments", 2, 60) && lost <= 7;
  if (three_behind) {
    ctx.ExpectEqual(Repeated(ctx), std::size_t{1}, "and nothing else");
    Duration first{};
    Duration again{};
    const std::uint32_t seq = Numbered(ctx, Side::kA, 1 + (lost - 1) * mss);
    for (const SentSegment& s : ctx.sent()) {
      if (s.from != Side::kA || s.segment.length == 0 || s.segment.seq != seq) continue;
      (first == 0ms ? first : again) = s.at;
    }
    ctx.Expect(again > first && again - first < rto,
               "at the third duplicate ACK, before the timer");
  }
  ctx.CloseAndExpectNothingLeft();
}

void Reorder(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kBegin);
  const std::string data = FullSegments(ctx, pair);
  ctx.Fault(fmt::format("delay the 2nd data from A by {}us", d / 2 / 1us));
  Transfer(ctx, pair, data, 20s);
  ctx.Expect(DuplicateAcks(ctx) >= 1, "B says at once what it misses");
  ctx.CloseAndExpectNothingLeft();
}

void Duplicate(ScenarioContext& ctx) {
  UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kBegin);
  const std::string data = FullSegments(ctx, pair);
  ctx.Fault("duplicate every data from A");
  Transfer(ctx, pair, data, 20s);
  ctx.ExpectEqual(Repeated(ctx), std::size_t{0}, "A repeats nothing");
  ctx.CloseAndExpectNothingLeft();
}

void Corrupt(ScenarioContext& ctx) {
  UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kBegin);
  const std::string data = FullSegments(ctx, pair);
  ctx.Fault("corrupt the 2nd data from A");
  Transfer(ctx, pair, data, 20s);
  ctx.ExpectEqual(ctx.b().stack().Counters().bad_packets, std::uint64_t{1},
                  "the checksum has found out one packet");
  ctx.Expect(Repeated(ctx) >= 1, "which is sent again");
  ctx.CloseAndExpectNothingLeft();
}

constexpr Parameter kFewSegmentsParameters[] = {
    {"segments", "4", "full-sized segments that are sent"}, kDelay};
constexpr Parameter kSegmentsParameters[] = {{"segments", "8", "full-sized segments that are sent"},
                                             kDelay};

// --- data/ecn ------------------------------------------------------------------------------------

constexpr Parameter kEcnParameters[] = {
    {"segments", "40", "full-sized segments that are sent"},
    {"marked", "3", "which of them is marked"},
    {"tcp_abe", nullptr, "1: a mark leaves more of the window than a loss", "estab.tcp_abe"},
    kDelay,
};

// The segments of one side that carry all of `flags`, data alone if asked for.
std::size_t With(const ScenarioContext& ctx, Side side, std::uint16_t flags, bool data) {
  std::size_t count = 0;
  for (const SentSegment& s : ctx.sent()) {
    if (s.from != side || (s.segment.flags & kSyn) != 0) continue;
    count += (s.segment.flags & flags) == flags && (s.segment.length != 0) == data ? 1 : 0;
  }
  return count;
}

void Marked(ScenarioContext& ctx) {
  UseDelay(ctx);
  ctx.a().Set("net.ipv4.tcp_ecn", "1");
  const Pair pair = Establish(ctx);
  ctx.Expect(InfoOf(ctx, Side::kA, pair.a).ecn && InfoOf(ctx, Side::kB, pair.b).ecn,
             "both have agreed on ECN");
  ctx.RunUntil(kBegin);
  const std::uint32_t mss = InfoOf(ctx, Side::kA, pair.a).send_mss;
  const std::string data = Pattern(static_cast<std::size_t>(ctx.Number("segments", 30, 60)) * mss);
  const std::int64_t marked = ctx.Number("marked", 1, 10);
  ctx.Fault(fmt::format("mark the {}th data from A", marked));
  Transfer(ctx, pair, data, 20s);
  const std::uint32_t seq = Numbered(ctx, Side::kA, 1 + (marked - 1) * mss);
  std::size_t times = 0;
  for (const SentSegment& s : ctx.sent()) {
    times += s.from == Side::kA && s.segment.length != 0 && s.segment.seq == seq ? 1 : 0;
  }
  ctx.ExpectEqual(times, std::size_t{1}, "nothing is lost: it is not sent again");
  ctx.Expect(With(ctx, Side::kB, kEce, false) != 0, "B tells of the mark");
  ctx.ExpectEqual(With(ctx, Side::kA, kCwr, true), std::size_t{1},
                  "A answers once that it has reduced its window");
  ctx.Expect((ctx.sent().back().segment.flags & kEce) == 0, "and B tells of it no more");
  const ConnectionInfo info = InfoOf(ctx, Side::kA, pair.a);
  ctx.Expect(info.slow_start_threshold < 20 * mss && info.segments_marked != 0,
             "A's window has come down");
  ctx.CloseAndExpectNothingLeft();
}

// --- data/nagle ----------------------------------------------------------------------------------

constexpr Parameter kNagleParameters[] = {
    {"writes", "5", "of one byte each, at once"},
    {"nodelay", "0", "1: TCP_NODELAY"},
    kDelay,
};

void Nagle(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const auto writes = static_cast<std::size_t>(ctx.Number("writes", 2, 50));
  SocketOptions options;
  options.no_delay = ctx.Value("nodelay") == "1";
  const Pair pair = Establish(ctx, options);
  for (std::size_t i = 0; i < writes; ++i) {
    ctx.RunUntil(kBegin + i * 100us);
    (void)ctx.a().Send(pair.a, "x");
  }
  ctx.RunUntil(kBegin + 1s);
  std::vector<ExpectedSegment> expected;
  if (options.no_delay) {
    for (std::size_t i = 0; i < writes; ++i) {
      expected.push_back({kBegin + i * 100us, fmt::format("A . seq=x+{} ack=y+1 len=1", i + 1)});
    }
  } else {
    expected.push_back({kBegin, "A . seq=x+1 ack=y+1 len=1"});
    expected.push_back({kBegin + 2 * d, fmt::format("A . seq=x+2 ack=y+1 len={}", writes - 1)});
  }
  for (const ExpectedSegment& s : expected) ctx.ExpectSent(s);
  std::size_t segments = 0;
  for (const SentSegment& s : ctx.sent()) {
    segments += s.from == Side::kA && s.segment.length != 0 ? 1 : 0;
  }
  ctx.ExpectEqual(segments, expected.size(), "so many segments carry the data");
  ctx.ExpectData(ctx.b().Read(pair.b), std::string(writes, 'x'), "recv of B");
  ctx.CloseAndExpectNothingLeft();
}

// --- data/zero-window, data/sws ------------------------------------------------------------------

constexpr Parameter kWindowParameters[] = {
    {"buffer", "8192", "SO_RCVBUF of B"},
    {"read", "200", "bytes that B reads at a time"},
    kDelay,
};

void SillyWindow(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  SocketOptions small;
  small.receive_buffer = static_cast<std::uint32_t>(ctx.Number("buffer", 4096, 65536));
  const auto at_a_time = static_cast<std::size_t>(ctx.Number("read", 1, 4096));
  const Pair pair = Establish(ctx, {}, small);
  ctx.RunUntil(kBegin);
  const std::string data = Pattern(3 * small.receive_buffer);
  std::size_t written = 0;
  std::string got;
  const auto write = [&] {
    if (written == data.size()) return;
    const auto n = ctx.a().stack().Send(ctx.world().now(), pair.a,
                                        std::as_bytes(std::span(data).subspan(written)));
    if (n) written += *n;
  };
  write();
  ctx.Run(1s);
  ctx.ExpectEqual(InfoOf(ctx, Side::kA, pair.a).send_window, 0u, "B's window is closed");
  const std::size_t before = ctx.sent().size();
  std::string piece(at_a_time, '\0');
  for (int i = 0; i < 20'000 && got.size() < data.size(); ++i) {
    write();
    const auto n =
        ctx.b().stack().Read(ctx.world().now(), pair.b, std::as_writable_bytes(std::span(piece)));
    if (n) got += piece.substr(0, *n);
    if (!n) ctx.Run(d);
    ctx.Run(1ms);
    if (i == 60) ctx.DrawNoMore("and so on, to the last byte");
  }
  ctx.Expect(got == data, "all of it arrives");
  // What A is offered after a closed window is worth a segment: neither side sends crumbs.
  const ConnectionInfo info = InfoOf(ctx, Side::kA, pair.a);
  const std::uint32_t worth = std::min(info.send_mss, small.receive_buffer / 2);
  std::size_t crumbs = 0;
  for (std::size_t i = before; i < ctx.sent().size(); ++i) {
    const SentSegment& s = ctx.sent()[i];
    const bool last = s.segment.seq + s.segment.length ==
                      Numbered(ctx, Side::kA, 1 + static_cast<std::int64_t>(data.size()));
    if (s.from == Side::kA && s.segment.length > 1 && s.segment.length < worth / 2 && !last) {
      ++crumbs;
    }
  }
  ctx.ExpectEqual(crumbs, std::size_t{0}, "no segment is sillily small");
  ctx.CloseAndExpectNothingLeft();
}

constexpr Parameter kZeroParameters[] = {
    {"closed", "3s", "how long B's window stays closed"}, kRtoMin, kDelay};

void ZeroWindow(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration closed = ctx.Span("closed", 500ms, 600s);
  SocketOptions small;
  small.receive_buffer = 4096;
  const Pair pair = Establish(ctx, {}, small);
  ctx.RunUntil(kBegin);
  const std::string data = Pattern(9000);
  (void)ctx.a().Send(pair.a, data);
  ctx.RunUntil(kBegin + closed);
  ctx.ExpectEqual(InfoOf(ctx, Side::kA, pair.a).send_window, 0u, "B's window is closed");
  ctx.ExpectState(Side::kA, pair.a, State::kEstablished);
  std::size_t probes = 0;
  for (const SentSegment& s : ctx.sent()) {
    const bool small_one = s.segment.length <= 1 && s.at > kBegin + 8 * d;
    probes += s.from == Side::kA && small_one ? 1 : 0;
  }
  ctx.Expect(probes >= 1, "A asks again and again whether it has opened");
  const std::size_t before = ctx.sent().size();
  std::string got;
  const auto n = ctx.b().Read(pair.b);
  if (n) got = *n;
  ctx.Run(0ms);
  bool told = false;
  for (std::size_t i = before; i < ctx.sent().size(); ++i) {
    told = told || (ctx.sent()[i].from == Side::kB && ctx.sent()[i].segment.window != 0);
  }
  ctx.Expect(told, "B says at once that it has opened");
  for (int i = 0; i < 400 && got.size() < data.size(); ++i) {
    ctx.Run(2 * d);
    std::string piece(65536, '\0');
    const auto more =
        ctx.b().stack().Read(ctx.world().now(), pair.b, std::as_writable_bytes(std::span(piece)));
    if (more) got += piece.substr(0, *more);
  }
  ctx.Expect(got == data, "all of it arrives");
  ctx.CloseAndExpectNothingLeft();
}

// --- data/paws -----------------------------------------------------------------------------------

void Paws(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  (void)ctx.a().Send(pair.a, "first");
  ctx.RunUntil(kBegin);
  ctx.ExpectData(ctx.b().Read(pair.b), "first", "recv of B");
  const std::uint32_t stamp =
      ctx.sent().back().options.has_timestamp ? ctx.sent().front().options.ts_value : 0;
  ctx.Note("a segment in the window, with a timestamp from long ago");
  wire::Segment old =
      Craft(kAck | kPsh, Numbered(ctx, Side::kA, 6), Numbered(ctx, Side::kB, 1), "stale");
  old.options.has_timestamp = true;
  old.options.ts_value = stamp - 100'000;
  Forge(ctx, Side::kA, old);
  ctx.Run(100ms);
  ctx.ExpectError(ctx.b().Read(pair.b), Error::kWouldBlock, "recv of B");
  ctx.ExpectSent({kBegin + d, "B . seq=y+1 ack=x+6"});
  (void)ctx.a().Send(pair.a, "fresh");
  ctx.Run(100ms);
  ctx.ExpectData(ctx.b().Read(pair.b), "fresh", "recv of B");
  ctx.CloseAndExpectNothingLeft();
}

// --- data/push -----------------------------------------------------------------------------------

void Push(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kBegin);
  const std::uint32_t mss = InfoOf(ctx, Side::kA, pair.a).send_mss;
  (void)ctx.a().Send(pair.a, Pattern(2 * mss + 100));
  ctx.Run(4 * d);
  std::vector<bool> pushed;
  for (const SentSegment& s : ctx.sent()) {
    if (s.from == Side::kA && s.segment.length != 0) {
      pushed.push_back((s.segment.flags & kPsh) != 0);
    }
  }
  ctx.ExpectEqual(pushed.size(), std::size_t{3}, "two full segments and the rest");
  ctx.Expect(!pushed.empty() && pushed.back(), "the last one of a write carries PSH");
  ctx.CloseAndExpectNothingLeft();
}

constexpr Scenario kDataScenarios[] = {
    {"data/loss", "one segment is lost",
     "B acknowledges every segment behind the gap with the number that it misses. At the third "
     "such "
     "duplicate ACK A sends the missing one again, without waiting for the timer (RFC 5681 §3.2).",
     kLossParameters, Loss},
    {"data/reorder", "a segment is overtaken",
     "What comes ahead of a gap is kept, and answered at once; when the gap is filled all of it is "
     "delivered in order (RFC 5681 §4.2).",
     kSegmentsParameters, Reorder},
    {"data/duplicate", "every segment comes twice",
     "What has been received before is acknowledged again and not delivered again; A repeats "
     "nothing (RFC 9293 §3.10.7.4).",
     kFewSegmentsParameters, Duplicate},
    {"data/checksum", "a bit is flipped on the way",
     "The checksum finds it out and the segment is dropped as if it had been lost; A sends it "
     "again "
     "(RFC 9293 §3.1).",
     kSegmentsParameters, Corrupt},
    {"data/ecn", "a router marks instead of dropping",
     "A segment comes with the mark that there is congestion on the way. B says so with ECE on "
     "every "
     "ACK, until A says with CWR that it has reduced its window: once, as for a loss, but nothing "
     "is "
     "lost (RFC 3168 §6.1).",
     kEcnParameters, Marked},
    {"data/nagle", "small writes are gathered",
     "While something small is unacknowledged A sends no more small segments: what is written "
     "meanwhile goes together in one, when the ACK comes. With TCP_NODELAY (--set nodelay=1) each "
     "write goes at once (RFC 9293 §3.7.4).",
     kNagleParameters, Nagle},
    {"data/zero-window", "the receiver has no room",
     "B's application does not read: its window closes, A stops and probes. When B reads it says "
     "at "
     "once that there is room, and the rest arrives (RFC 9293 §3.8.6.1).",
     kZeroParameters, ZeroWindow},
    {"data/sws", "no silly windows",
     "B reads in crumbs, but does not announce crumbs: a window is opened only by a full segment "
     "or "
     "half its buffer, and A sends nothing smaller meanwhile (RFC 9293 §3.8.6.2).",
     kWindowParameters, SillyWindow},
    {"data/paws", "an old duplicate within the window",
     "Sequence numbers wrap; timestamps tell the old segment from the new one. One that is older "
     "than what came last is dropped and answered with an ACK (RFC 7323 §5).",
     kDelayOnly, Paws},
    {"data/push", "the end of a write is marked",
     "The last segment of a write carries PSH: the receiver has no reason to wait for more "
     "(RFC 9293 §3.9.1.2).",
     kDelayOnly, Push},
};

}  // namespace

std::span<const Scenario> DataScenarios() { return kDataScenarios; }

}  // namespace estab::sim
