#include "bench/seeds/run.h"

#include <cstdio>
#include <memory>
#include <vector>

#include "bench/seeds/actor.h"
#include "observe/format.h"

namespace estab::bench {
namespace {

using namespace std::chrono_literals;
using sim::Index;
using sim::Other;
using sim::Side;

constexpr std::uint16_t kFirstPort = 1000;        // of servers
constexpr std::uint16_t kFirstClientPort = 2000;  // of clients that must be known beforehand

std::int64_t Micros(Time at) { return at.time_since_epoch() / 1us; }

// Prints what happens; for one seed under a magnifying glass.
class Tracer : public sim::Tap, public Observer {
 public:
  explicit Tracer(Side side) : side_(side) {}
  unsigned Interests() const override { return kTransitions | kVerdicts; }
  void OnRule(const RuleEvent& e) override {
    fmt::print("{:>12} {} #{} {} -> {}: {}\n", Micros(e.at), Letter(side_), e.number,
               StateName(e.from), StateName(e.to), GetRule(e.rule).name);
  }
  void OnPacket(const sim::PacketReport& r) override {
    if (r.view == nullptr) return;
    const SegmentSummary& s = r.view->segment;
    fmt::print("{:>12} {} {} > {} flags {:02x} seq {} +{} ack {} win {} {}{} [{}] x{}\n",
               Micros(r.sent), Letter(r.from), r.view->source.port, r.view->destination.port,
               s.flags, s.seq, s.length, s.ack, s.window, sim::LossText(r.fate.loss),
               r.fate.corrupt ? "corrupt" : "", sim::OptionsText(r.view->options), r.fate.copies);
  }

 private:
  static char Letter(Side side) { return side == Side::kA ? 'A' : 'B'; }
  Side side_;
};

constexpr std::size_t kNeverBusy = 4096;

Plan PlanOf(std::uint64_t seed, const RunOptions& options) {
  Plan plan = MakePlan(seed);
  for (sim::HostConfig& host : plan.world.host) host.offload = options.offload;
  return plan;
}

class Run {
 public:
  Run(std::uint64_t seed, const RunOptions& options)
      : plan_(PlanOf(seed, options)), world_(plan_.world) {
    if (!options.trace) return;
    std::fputs(PlanText(plan_).c_str(), stdout);
    world_.AddTap(tracers_[0]);
    for (const Side side : {Side::kA, Side::kB})
      world_.host(side).AddObserver(tracers_[Index(side)]);
  }

  Outcome Go() {
    for (const Side side : {Side::kA, Side::kB}) {
      const std::string& error = world_.host(side).setting_error();
      if (!error.empty()) verdict_.Fail(error);
    }
    for (std::size_t i = 0; i < plan_.conversations.size(); ++i) Prepare(i);
    PrepareHarm();
    world_.SetStepHook([this] { Poll(); });
    world_.Run(kPatience);
    GiveUp();
    const sim::RunEnd end = world_.RunUntilIdle(kEnd);
    if (end != sim::RunEnd::kIdle) verdict_.Fail("timers still run long after the last close");
    CheckNothingLeft();
    return Collect();
  }

 private:
  struct Conversation {
    const ConversationPlan* plan;
    std::uint16_t port;
    std::array<std::unique_ptr<Actor>, 2> end;
    std::optional<SocketId> listener;
  };

  static Side SideOf(const Conversation& c, std::size_t end) {
    return end == 0 ? c.plan->client : Other(c.plan->client);
  }

  void Prepare(std::size_t i) {
    auto c = std::make_unique<Conversation>();
    c->plan = &plan_.conversations[i];
    c->port = static_cast<std::uint16_t>(kFirstPort + i);
    for (std::size_t end = 0; end < 2; ++end) {
      c->end[end] = std::make_unique<Actor>(
          world_, verdict_, SideOf(*c, end), c->plan->end[end], 977 * (2 * i + end) + 13,
          fmt::format("conversation {}, {}", i, end == 0 ? "client" : "server"));
    }
    c->end[0]->SetPeer(*c->end[1]);
    c->end[1]->SetPeer(*c->end[0]);
    Conversation* raw = c.get();
    conversations_.push_back(std::move(c));
    world_.At(raw->plan->start, [this, raw] { Connect(*raw, 0); });
    if (raw->plan->opening == Opening::kSimultaneous) {
      world_.At(raw->plan->start, [this, raw] { Connect(*raw, 1); });
    } else if (raw->plan->opening == Opening::kListener) {
      world_.At(raw->plan->listener_from, [this, raw] { Listen(*raw); });
      if (raw->plan->listener_until) {
        world_.At(*raw->plan->listener_until, [this, raw] { Unlisten(*raw); });
      }
    }
  }

  void PrepareHarm() {
    if (plan_.cut) {
      world_.At(*plan_.cut, [this] { SetPath(cut_, true); });
      if (plan_.cut_span) world_.At(*plan_.cut + *plan_.cut_span, [this] { SetPath(cut_, false); });
    }
    if (plan_.narrow) {
      world_.At(plan_.narrow->at, [this] { SetPath(narrow_, true); });
      if (const auto span = plan_.narrow->span) {
        world_.At(plan_.narrow->at + *span, [this] { SetPath(narrow_, false); });
      }
    }
    if (!plan_.crash) return;
    world_.At(plan_.crash->at, [this] { Crash(plan_.crash->side); });
    world_.At(plan_.crash->at + plan_.crash->down,
              [this] { world_.host(plan_.crash->side).Restart(); });
  }

  void SetPath(bool& what, bool on) {
    what = on;
    for (const Side side : {Side::kA, Side::kB}) {
      sim::PathConfig config = plan_.world.path[Index(side)];
      if (cut_) config.loss_ppm = sim::kAlways;
      if (narrow_ && plan_.narrow->from[Index(side)]) {
        config.mtu = plan_.narrow->mtu;
        config.router = plan_.narrow->router;
      }
      world_.path(side).set_config(config);
    }
  }

  void Crash(Side side) {
    world_.host(side).Crash();
    for (auto& c : conversations_) {
      for (auto& actor : c->end) {
        if (actor->side() == side) actor->Die();
      }
      if (SideOf(*c, 1) == side) c->listener.reset();
    }
  }

  Endpoint Local(const Conversation& c, std::size_t end) {
    const auto offset = static_cast<std::uint16_t>(c.port - kFirstPort);
    const std::uint16_t client = static_cast<std::uint16_t>(kFirstClientPort + offset);
    return {world_.host(SideOf(c, end)).address(c.plan->ipv6), end == 0 ? client : c.port};
  }

  void Connect(Conversation& c, std::size_t end) {
    const Side side = SideOf(c, end);
    if (!world_.host(side).alive()) return;
    Stack& stack = world_.host(side).stack();
    const auto socket = stack.Open(c.plan->ipv6);
    if (!socket) return verdict_.Fail("open failed");
    if (!stack.SetOptions(world_.now(), *socket, c.plan->end[end].options)) {
      verdict_.Fail("options were refused");
    }
    const bool simultaneous = c.plan->opening == Opening::kSimultaneous;
    if (simultaneous && !stack.Bind(*socket, Local(c, end))) verdict_.Fail("bind failed");
    const auto result = stack.Connect(world_.now(), *socket, Local(c, 1 - end));
    if (result || result.error() != Error::kInProgress) verdict_.Fail("connect failed at once");
    c.end[end]->Begin(*socket);
  }

  void Listen(Conversation& c) {
    const Side side = SideOf(c, 1);
    if (!world_.host(side).alive()) return;
    Stack& stack = world_.host(side).stack();
    const auto socket = stack.Open(c.plan->ipv6);
    if (!socket) return verdict_.Fail("open failed");
    static_cast<void>(stack.SetOptions(world_.now(), *socket, c.plan->end[1].options));
    const IpAddress any = c.plan->ipv6 ? IpAddress::AnyV6() : IpAddress::AnyV4();
    if (!stack.Bind(*socket, {any, c.port})) verdict_.Fail("bind of a listener failed");
    if (!stack.Listen(world_.now(), *socket, c.plan->backlog)) verdict_.Fail("listen failed");
    c.listener = *socket;
  }

  void Unlisten(Conversation& c) {
    if (!c.listener) return;
    Stack& stack = world_.host(SideOf(c, 1)).stack();
    if (!stack.Close(world_.now(), *c.listener)) verdict_.Fail("close of a listener failed");
    c.listener.reset();
  }

  void AcceptAll(Conversation& c) {
    Stack& stack = world_.host(SideOf(c, 1)).stack();
    while (c.listener) {
      const auto socket = stack.Accept(world_.now(), *c.listener);
      if (!socket) {
        if (socket.error() != Error::kWouldBlock) verdict_.Fail("accept failed");
        return;
      }
      if (c.end[1]->began()) return verdict_.Fail("one connection was accepted twice");
      c.end[1]->Begin(*socket);
    }
  }

  // What readiness tells, and nothing else, makes applications act.
  void Poll() {
    for (const Side side : {Side::kA, Side::kB}) {
      while (world_.host(side).alive()) {
        std::array<ReadyEvent, 8> events;
        const std::size_t count = world_.host(side).stack().DrainReady(events);
        for (const ReadyEvent& event : std::span(events).first(count)) OnReady(side, event);
        if (count < events.size()) break;
      }
    }
    // Stacks built with ESTAB_INVARIANTS are looked at after every event, others now and then.
#ifdef ESTAB_INVARIANTS
    CheckInvariants();
#else
    if (++polls_ % 64 == 0) CheckInvariants();
#endif
  }

  void OnReady(Side side, const ReadyEvent& event) {
    if (event.user != nullptr) return static_cast<Actor*>(event.user)->Pump();
    for (auto& c : conversations_) {
      if (SideOf(*c, 1) == side && c->listener == event.socket) return AcceptAll(*c);
    }
  }

  void CheckInvariants() {
    for (const Side side : {Side::kA, Side::kB}) {
      if (world_.host(side).alive()) world_.host(side).stack().CheckInvariants();
    }
  }

  // Whether a conversation can only have ended by now, well or badly.
  bool MustBeOver(const Conversation& c) const {
    if (plan_.cut || plan_.crash || !c.end[0]->began() || !c.end[1]->began()) return false;
    if (c.plan->end[0].replies && c.plan->end[1].replies) return false;
    for (const auto& actor : c.end) {
      if (!actor->polite() || actor->error() || actor->died()) return false;
    }
    // A stack that closes for an application that has gone may give up without telling anybody.
    return (c.end[0]->open() && c.end[1]->open()) || Lossless();
  }

  bool Lossless() const {
    if (plan_.narrow) return false;
    for (const sim::PathConfig& path : plan_.world.path) {
      if (path.loss_ppm != 0 || path.corrupt_ppm != 0 || path.queue_bytes != 0) return false;
    }
    return true;
  }

  void GiveUp() {
    for (auto& c : conversations_) {
      const bool must = MustBeOver(*c);
      for (auto& actor : c->end) {
        // Nothing has passed since the cut, hours ago.
        if (plan_.cut && !plan_.cut_span) actor->CheckGivenUp();
        actor->GiveUp(plan_.abort_at_last, must);
      }
      Unlisten(*c);
    }
  }

  void CheckNothingLeft() {
    CheckInvariants();
    for (const Side side : {Side::kA, Side::kB}) {
      const StackCounters n = world_.host(side).stack().Counters();
      if (n.sockets + n.half_open + n.time_wait + n.orphans + n.payload_chunks + n.memory_in_use ==
          0) {
        continue;
      }
      verdict_.Fail(fmt::format(
          "left on {}: {} sockets, {} half-open, {} TIME_WAIT, {} orphans, {} chunks, {} bytes",
          side == Side::kA ? "A" : "B", n.sockets, n.half_open, n.time_wait, n.orphans,
          n.payload_chunks, n.memory_in_use));
    }
  }

  Outcome Collect() {
    Outcome out;
    for (const auto& c : conversations_) {
      const bool both = c->end[0]->began() && c->end[1]->began();
      if (both) ++out.connections;
      if (c->end[0]->ended_well() && c->end[1]->ended_well()) ++out.ended_well;
      for (const auto& actor : c->end) {
        out.bytes_read += actor->received();
        if (actor->error()) ++out.errors;
        if (c->plan->opening == Opening::kNobody && actor->began() && !actor->died() &&
            !actor->error()) {
          verdict_.Fail("nothing listened, and connect reported no error");
        }
      }
    }
    for (const Side side : {Side::kA, Side::kB}) {
      const auto counts = world_.host(side).stack().RuleCounters();
      out.rules.resize(counts.size());
      for (std::size_t i = 0; i < counts.size(); ++i) out.rules[i] += counts[i];
    }
    out.failure = verdict_.failure;
    out.same_with_offload =
        plan_.conversations.size() == 1 && plan_.world.most_in_flight >= kNeverBusy;
    out.hash = world_.trace_hash();
    out.packets = world_.packets();
    return out;
  }

  Plan plan_;
  Verdict verdict_;
  bool cut_ = false;     // nothing passes now
  bool narrow_ = false;  // the path is narrow now
  std::array<Tracer, 2> tracers_{Tracer(Side::kA), Tracer(Side::kB)};
  sim::World world_;
  std::vector<std::unique_ptr<Conversation>> conversations_;
  [[maybe_unused]] std::uint64_t polls_ = 0;  // only where the stack does not look at itself
};

}  // namespace

Outcome RunSeed(std::uint64_t seed, const RunOptions& options) { return Run(seed, options).Go(); }

}  // namespace estab::bench
