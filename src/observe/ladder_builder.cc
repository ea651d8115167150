#include "observe/ladder_builder.h"

#include <tuple>
#include <utility>

#include "observe/format.h"
#include "observe/text.h"

namespace estab::observe {
namespace {

Tuple Reversed(const Tuple& tuple) { return {tuple.remote, tuple.local}; }

std::string ResultText(const CallEvent& event) {
  if (event.value < 0) return std::string(ErrnoName(event.error));
  if (event.call == CallKind::kSend || event.call == CallKind::kReceive) {
    return Counted(static_cast<std::uint64_t>(event.value), "byte");
  }
  return "ok";
}

}  // namespace

LadderBuilder::LadderBuilder(const Options& options) : options_(options) {
  for (const Side side : {Side::kA, Side::kB}) {
    sides_[Index(side)].builder = this;
    sides_[Index(side)].side = side;
    ladder_.hosts[Index(side)].name = SideName(side);
  }
  ladder_.hosts[Index(Side::kB)].inferred = options.one_sided;
}

void LadderBuilder::SetHost(Side side, std::string name, std::string endpoint) {
  LadderHost& host = ladder_.hosts[Index(side)];
  host.name = std::move(name);
  host.endpoint = std::move(endpoint);
}

std::size_t LadderBuilder::Add(LadderRow row, bool always) {
  if (paused_) return kFull;
  if (ladder_.rows.size() >= options_.max_rows && !always) {
    ++ladder_.left_out;
    return kFull;
  }
  if (!first_) first_ = row.at;
  ladder_.rows.push_back(std::move(row));
  return ladder_.rows.size() - 1;
}

void LadderBuilder::LearnEndpoints(Side side, const Tuple& tuple) {
  if (tuple.local.port == 0 || tuple.remote.port == 0) return;
  const auto learn = [this](Side where, const Endpoint& end) {
    std::string& head = ladder_.hosts[Index(where)].endpoint;
    if (!head.empty()) return;
    head = EndpointText(end);
    heads_[Index(where)] = end;
  };
  learn(side, tuple.local);
  // A socket connected to itself has nothing to do with the other column.
  if (tuple.local != tuple.remote) learn(Other(side), tuple.remote);
}

std::string LadderBuilder::EndApart(Side side, const Endpoint& end) const {
  const std::optional<Endpoint>& head = heads_[Index(side)];
  if (!head || *head == end) return {};
  return head->address == end.address ? fmt::format(":{}", end.port) : EndpointText(end);
}

bool LadderBuilder::WindowMatters(const SegmentSummary& segment, const Tuple& tuple) {
  if ((segment.flags & (kRst | kSyn)) != 0) return false;
  if (segment.window == 0) {
    closed_windows_.insert(tuple);
    return true;
  }
  return closed_windows_.erase(tuple) != 0;
}

bool LadderBuilder::Follow(Side side, const Tuple& tuple) {
  if (between_ && tuple.remote.port != 0) {
    const IpAddress& a = (side == Side::kA ? tuple.local : tuple.remote).address;
    const IpAddress& b = (side == Side::kA ? tuple.remote : tuple.local).address;
    if (a != between_->first || b != between_->second) return false;
  }
  const bool connection = tuple.local.port != 0 && tuple.remote.port != 0;
  if (connection && !ports_.empty()) {
    const Endpoint& of_a = side == Side::kA ? tuple.local : tuple.remote;
    if (!ports_.contains(of_a.port)) return false;
  }
  LearnEndpoints(side, tuple);
  if (!options_.first_connection_only) return true;
  const Tuple from_a = side == Side::kA ? tuple : Reversed(tuple);
  if (!followed_) {
    if (tuple.local.port == 0 || tuple.remote.port == 0) return false;
    followed_ = from_a;
  }
  return *followed_ == from_a;
}

void LadderBuilder::AddSegment(LadderSegment segment, const Endpoint& sender,
                               const Endpoint& receiver, bool remember_isn) {
  if (!Follow(segment.from, Tuple{sender, receiver})) return;
  const SegmentBases bases = isns_.Look(segment.segment, sender, receiver, remember_isn);
  if (bases.seq) {
    segment.seq_base = bases.seq->isn;
    segment.seq_nth = bases.seq->nth;
  }
  if (bases.ack) {
    segment.ack_base = bases.ack->isn;
    segment.ack_nth = bases.ack->nth;
  }
  const bool from_a = segment.from == Side::kA;
  segment.apart = EndApart(Side::kA, from_a ? sender : receiver);
  const std::string other = EndApart(Side::kB, from_a ? receiver : sender);
  if (!other.empty()) segment.apart += "-" + other;
  if (remember_isn) segment.window_matters = WindowMatters(segment.segment, {sender, receiver});
  const Time sent = segment.sent;
  Add({sent, std::move(segment)});
}

void LadderBuilder::AddNote(Time at, std::optional<Side> side, std::string text) {
  Add({at, LadderNote{side, std::move(text)}}, true);
}

void LadderBuilder::LoseStates(Time at, Side side, std::string rule, std::string gist) {
  std::erase_if(running_, [&](const auto& timer) { return timer.first.side == side; });
  State& state = state_[Index(side)];
  if (state == State::kClosed) return AddNote(at, side, std::move(rule));
  Add({at, LadderState{side, state, State::kClosed, std::move(rule), {}, std::move(gist), 0}},
      true);
  state = State::kClosed;
}

void LadderBuilder::AddState(Time at, Side side, State to, std::string rule, std::string section) {
  State& state = state_[Index(side)];
  Add({at, LadderState{side, state, to, std::move(rule), std::move(section), {}, 0}}, true);
  state = to;
}

std::size_t LadderBuilder::BeginCall(Time at, Side side, std::string text) {
  return Add({at, LadderCall{side, std::move(text), {}}});
}

void LadderBuilder::EndCall(std::size_t call, std::string result) {
  if (call >= ladder_.rows.size()) return;
  auto* row = std::get_if<LadderCall>(&ladder_.rows[call].what);
  if (row != nullptr) row->result = std::move(result);
}

Ladder LadderBuilder::Build() const {
  Ladder ladder = ladder_;
  if (options_.one_sided && first_) ladder.origin = *first_;
  SortRows(ladder);
  return ladder;
}

void LadderBuilder::InferPeer(const SegmentEvent& event) {
  PeerInference& peer = peers_[event.tuple];
  const auto change = event.sent ? peer.Received(event.segment) : peer.Sent(event.segment);
  if (!change) return;
  Add({event.at, LadderState{Side::kB,
                             change->from,
                             change->to,
                             {},
                             {},
                             "guessed from what it sent and was sent",
                             event.number}},
      true);
}

unsigned LadderBuilder::SideObserver::Interests() const {
  const Options& options = builder->options_;
  unsigned wanted = kTransitions | kTimers;
  if (options.calls) wanted |= kCalls;
  if (options.verdicts) wanted |= kVerdicts;
  if (options.one_sided) wanted |= kSegments;
  return wanted;
}

void LadderBuilder::SideObserver::OnRule(const RuleEvent& event) {
  const bool moved = event.from != event.to;
  if (!moved && !builder->options_.verdicts) return;
  if (!builder->Follow(side, event.tuple)) return;
  const Rule& rule = GetRule(event.rule);
  if (moved) builder->state_[Index(side)] = event.to;
  LadderState row{side,         event.from, event.to,     rule.name,
                  rule.section, rule.gist,  event.number, event.tuple.remote.port == 0};
  const auto explained = builder->explained_.find(row.rule);
  if (explained != builder->explained_.end()) {
    std::tie(row.rule, row.section) = explained->second;
  }
  builder->Add({event.at, std::move(row)}, moved);
}

void LadderBuilder::SideObserver::OnSegment(const SegmentEvent& event) {
  if (!builder->options_.one_sided || !builder->Follow(side, event.tuple)) return;
  LadderSegment segment;
  segment.from = event.sent ? side : Other(side);
  segment.sent = event.at;
  segment.arrived = event.at;
  segment.segment = event.segment;
  const Endpoint& sender = event.sent ? event.tuple.local : event.tuple.remote;
  const Endpoint& receiver = event.sent ? event.tuple.remote : event.tuple.local;
  // The peer must have changed before it could send this; it changes after what it receives.
  if (!event.sent) builder->InferPeer(event);
  builder->AddSegment(std::move(segment), sender, receiver);
  if (event.sent) builder->InferPeer(event);
}

void LadderBuilder::SideObserver::OnTimer(const TimerEvent& event) {
  if (!builder->Follow(side, event.tuple)) return;
  const TimerKey key{side, event.number, event.timer};
  const auto it = builder->running_.find(key);
  if (it != builder->running_.end()) {
    const bool fired = event.what == TimerEvent::What::kFired;
    // What every ACK sets anew would drown the rest; a restarted 2MSL is worth seeing.
    const bool restarted = event.what == TimerEvent::What::kArmed;
    if (!restarted || event.timer == TimerKind::kTimeWait || event.timer == TimerKind::kFinWait2) {
      builder->Add({event.at, LadderTimer{side, event.timer, it->second, event.at, fired}});
    }
    builder->running_.erase(it);
  }
  if (event.what == TimerEvent::What::kArmed) builder->running_[key] = event.at;
}

void LadderBuilder::SideObserver::OnCall(const CallEvent& event) {
  if (!builder->Follow(side, event.tuple)) return;
  builder->Add({event.at, LadderCall{side, CallName(event.call), ResultText(event)}});
}

}  // namespace estab::observe
