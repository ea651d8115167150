#include "oracle/runner.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>

#include "oracle/options.h"

namespace oracle {
namespace {

/// The peer's numbers begin close to the end of the space, so that they wrap.
constexpr std::uint32_t kPeerIsn = 0xffffff00u;
/// How long a script's last words may take to come.
constexpr Micros kSettle = 60'000;

/// What both sides of a flow have said so far.
struct Flow {
  bool has_isn = false;
  std::uint32_t isn = 0;        // the host's; 0 while it is not known
  std::uint32_t host_next = 0;  // after the furthest of the host's segments
  std::uint32_t peer_next = kPeerIsn;
  bool has_ts = false;
  std::uint32_t first_ts = 0;
  std::uint32_t last_ts = 0;
  std::uint32_t last_seq = 0;
  int host_scale = -1;  // what the host's SYN offered; -1: nothing
  bool peer_scales = false;
  bool edge_named = false;  // a segment was placed by the edge
  std::uint32_t edge = 0;   // the right edge of the window that the host announced last
};

struct Handle {
  int number;
  std::uint32_t sent = 0;  // bytes given to send so far
};

struct Ports {
  std::uint16_t local = 80, peer = 40000;
  auto operator<=>(const Ports&) const = default;
};

std::uint32_t Span(const Segment& s) {
  return static_cast<std::uint32_t>(s.payload.size()) + ((s.flags & kSyn) != 0) +
         ((s.flags & kFin) != 0);
}

/// The shift that a window scale option announces; -1 if there is none.
int WindowScale(const Bytes& options) {
  constexpr std::uint8_t kNop = 1, kScale = 3;
  for (std::size_t at = 0; at < options.size() && options[at] != 0;) {
    if (options[at] == kScale && at + 2 < options.size()) return options[at + 2];
    if (options[at] != kNop && (at + 1 == options.size() || options[at + 1] < 2)) break;
    at += options[at] == kNop ? 1 : options[at + 1];
  }
  return -1;
}

/// The byte that both sides send at an offset of their stream.
std::uint8_t Pattern(std::uint32_t offset) { return static_cast<std::uint8_t>('a' + offset % 26); }

class Runner {
 public:
  Runner(const Script& script, World& world) : script_(script), world_(world) {
    for (const Step& step : script.steps) {
      std::int64_t port = 0;
      if (step.verb == "bind" && ParseNumber(step.arguments[1], &port)) named_.insert(port);
      if (step.verb == "flow" && ParseNumber(step.arguments[0], &port)) named_.insert(port);
    }
  }

  Trace Run(const std::vector<Micros>* times) {
    world_.Begin(script_.ipv6);
    const World::Sink sink = [this](Micros at, std::span<const std::uint8_t> packet) {
      Record(at, packet);
    };
    Micros due = 0;
    for (std::size_t i = 0; i < script_.steps.size(); ++i) {
      due = std::max(due, i == 0 ? 0 : trace_.times.back()) + script_.steps[i].wait;
      if (times != nullptr) due = (*times)[i];
      // Whatever leaves before this step belongs to the one before it.
      step_ = i == 0 ? 0 : i - 1;
      world_.RunUntil(due, sink);
      trace_.times.push_back(times != nullptr ? due : world_.Now());
      step_ = i;
      Do(script_.steps[i]);
      world_.RunUntil(0, sink);
    }
    const Micros last = trace_.times.empty() ? 0 : trace_.times.back();
    trace_.end = last + kSettle;
    world_.RunUntil(trace_.end, sink);
    world_.End();
    return std::move(trace_);
  }

 private:
  [[noreturn]] void Fail(const Step& step, const char* what) const {
    std::fprintf(stderr, "%s: %s: %s\n", script_.name.c_str(), step.Text().c_str(), what);
    std::exit(2);
  }

  // --- What the host sends -----------------------------------------------------------------------

  void Record(Micros at, std::span<const std::uint8_t> packet) {
    Entry entry = {.step = step_, .time = at, .packet = true, .text = {}};
    Segment s;
    if (Decode(packet, &s)) {
      DescribeSegment(s, &entry);
    } else {
      const std::size_t header = script_.ipv6 ? 40 : 20;
      const std::uint8_t protocol = packet[script_.ipv6 ? 6 : 9];
      // Neighbours and routers are none of a connection's business.
      if (protocol == 58 && packet[header] >= 130) return;
      entry.text = "protocol " + std::to_string(protocol);
      if (protocol == 1 || protocol == 58) {
        entry.text =
            "icmp " + std::to_string(packet[header]) + " " + std::to_string(packet[header + 1]);
      }
    }
    trace_.packets.push_back(std::move(entry));
  }

  std::string FlowName(const Ports& ports) const {
    const bool chosen = ports.local >= 32768 && named_.count(ports.local) == 0;
    return (chosen ? "any" : std::to_string(ports.local)) + ">" + std::to_string(ports.peer);
  }

  /// Learns the ISN from a SYN. A reopened connection's is told relative to the one before, if it
  /// is derived from it.
  std::string LearnIsn(const Segment& s, Flow* flow) {
    if (flow->has_isn && flow->isn == s.seq) return "";
    std::string note;
    if (flow->has_isn) {
      const std::uint32_t step = s.seq - flow->isn;
      // Half a window further: what TIME_WAIT hands on. Less than that is chance.
      note = step > 0x10000 && step < 0x12000 ? " isn=+" + std::to_string(step) : " isn=new";
    }
    flow->has_isn = true;
    flow->isn = s.seq;
    flow->host_next = s.seq;
    flow->has_ts = false;
    return note;
  }

  /// The window of a SYN is never scaled, others only if both sides said so.
  static void NoteWindow(const Segment& s, Flow* flow) {
    const bool syn = (s.flags & kSyn) != 0;
    if (syn) flow->host_scale = WindowScale(s.options);
    if ((s.flags & kAck) == 0 || (s.flags & kRst) != 0) return;
    const bool scaled = !syn && flow->peer_scales && flow->host_scale >= 0;
    flow->edge = s.ack + (std::uint32_t{s.window} << (scaled ? flow->host_scale : 0));
  }

  void DescribeSegment(const Segment& s, Entry* entry) {
    const Ports ports = {s.source_port, s.destination_port};
    Flow& flow = flows_[ports];
    std::string note;
    if ((s.flags & kSyn) != 0) note = LearnIsn(s, &flow);
    const bool raw_zero = (s.flags & kRst) != 0 && s.seq == 0;
    const bool push_counts = !script_.any_push || s.payload.empty();
    const auto flags = static_cast<std::uint8_t>(push_counts ? s.flags : s.flags & ~kPsh);
    entry->text = FlowName(ports) + " " + FlagsText(flags) +
                  " seq=" + (raw_zero ? "zero" : std::to_string(s.seq - flow.isn)) + note;
    if ((s.flags & kAck) != 0) entry->text += " ack=" + std::to_string(s.ack - kPeerIsn);
    if ((s.flags & kAck) == 0 && s.ack != 0) entry->text += " stray-ack";
    if (!s.payload.empty()) entry->text += " len=" + std::to_string(s.payload.size());
    if ((s.flags & kUrg) != 0) entry->text += " urg=" + std::to_string(s.urgent);
    for (std::size_t i = 0; i < s.payload.size(); ++i) {
      const std::uint32_t offset = s.seq - flow.isn - 1 + static_cast<std::uint32_t>(i);
      if (s.payload[i] != Pattern(offset)) {
        entry->text += " WRONG-DATA";
        break;
      }
    }
    if (s.bad_checksum) entry->text += " BAD-CHECKSUM";
    if (s.tos != 0) entry->text += " tos=" + std::to_string(s.tos);
    if (s.ttl != 64) entry->text += " ttl=" + std::to_string(s.ttl);
    if (!s.dont_fragment) entry->text += " may-fragment";
    if (s.destination != PeerAddress(script_.ipv6)) entry->text += " elsewhere";
    // How wide a window is differs; what lies at its edge does not.
    OptionBase base = {.peer_isn = kPeerIsn, .has_edge = flow.edge_named, .edge = flow.edge};
    const std::string options = OptionsText(s.options, &base);
    if (!options.empty()) entry->text += " <" + options + ">";
    entry->window = s.window;
    entry->opening = (s.flags & kSyn) != 0;
    if (base.has_timestamp) {
      if (!flow.has_ts) flow.first_ts = base.ts_value;
      flow.has_ts = true;
      flow.last_ts = base.ts_value;
      entry->has_timestamp = true;
      entry->timestamp = static_cast<std::int32_t>(base.ts_value - flow.first_ts);
    }
    flow.last_seq = s.seq;
    NoteWindow(s, &flow);
    const std::uint32_t end = s.seq + Span(s);
    if ((s.flags & kRst) == 0 && static_cast<std::int32_t>(end - flow.host_next) > 0) {
      flow.host_next = end;
    }
  }

  // --- What the peer sends -----------------------------------------------------------------------

  struct Injection {
    Segment segment;
    Ports ports;
    std::uint32_t length = 0;
    std::string options;
    bool has_seq = false, has_ack = false;
    std::uint32_t seq_offset = 0, ack_offset = 0;
  };

  bool ParseWord(const std::string& word, Injection* in) {
    if (word[0] == '<') {
      in->options = word.substr(1, word.size() - 2);
      return true;
    }
    if (word == "badsum") return in->segment.bad_checksum = true;
    const auto equals = word.find('=');
    if (equals == std::string::npos) return false;
    const std::string key = word.substr(0, equals);
    const std::string text = word.substr(equals + 1);
    Segment& s = in->segment;
    if (key == "src" || key == "dst") {
      (key == "src" ? s.source : s.destination) =
          text == "host" ? world_.HostAddress() : ParseAddress(text);
      return true;
    }
    std::int64_t n = 0;
    if (!ParseNumber(text, &n)) return false;
    const auto word32 = static_cast<std::uint32_t>(n);
    if (key == "seq" || key == "rawseq") {
      in->has_seq = true;
      s.seq = key == "seq" ? kPeerIsn + word32 : word32;
    } else if (key == "edge") {
      in->has_seq = true;
      flows_[in->ports].edge_named = true;
      s.seq = flows_[in->ports].edge + word32;
    } else if (key == "ack" || key == "rawack") {
      in->has_ack = true;
      s.ack = key == "ack" ? flows_[in->ports].isn + word32 : word32;
    } else if (key == "seq+") {
      in->seq_offset += word32;
    } else if (key == "ack+") {
      in->ack_offset += word32;
    } else if (key == "win") {
      s.window = static_cast<std::uint16_t>(n);
    } else if (key == "len") {
      in->length = word32;
    } else if (key == "tos") {
      s.tos = static_cast<std::uint8_t>(n);
    } else if (key == "ttl") {
      s.ttl = static_cast<std::uint8_t>(n);
    } else if (key == "urg") {
      s.urgent = static_cast<std::uint16_t>(n);
    } else if (key == "peer") {  // handled before: it says whose numbers these are
    } else {
      return false;
    }
    return true;
  }

  void Inject(const Step& step) {
    Injection in;
    in.ports = ports_;
    for (const std::string& word : step.arguments) {
      std::int64_t port = 0;
      if (word.starts_with("peer=") && ParseNumber(word.substr(5), &port)) {
        in.ports.peer = static_cast<std::uint16_t>(port);
      }
    }
    Flow& flow = flows_[in.ports];
    Segment& s = in.segment;
    s.source = PeerAddress(script_.ipv6);
    s.destination = world_.HostAddress();
    s.source_port = in.ports.peer;
    s.destination_port = in.ports.local;
    s.window = 65535;
    if (!ParseFlags(step.arguments[0], &s.flags)) Fail(step, "flags");
    for (std::size_t i = 1; i < step.arguments.size(); ++i) {
      if (!ParseWord(step.arguments[i], &in)) Fail(step, step.arguments[i].c_str());
    }
    if (!in.has_seq) s.seq = flow.peer_next;
    if (!in.has_ack && (s.flags & kAck) != 0) s.ack = flow.host_next;
    s.seq += in.seq_offset;
    s.ack += in.ack_offset;
    if (!ParseOptions(in.options, flow.last_ts, flow.isn, &s.options)) Fail(step, "options");
    if ((s.flags & kSyn) != 0 && WindowScale(s.options) >= 0) flow.peer_scales = true;
    const std::uint32_t first = s.seq - kPeerIsn - ((s.flags & kSyn) != 0 ? 0 : 1);
    for (std::uint32_t i = 0; i < in.length; ++i) s.payload.push_back(Pattern(first + i));
    const std::uint32_t end = s.seq + Span(s);
    if (static_cast<std::int32_t>(end - flow.peer_next) > 0) flow.peer_next = end;
    world_.Inject(Encode(s));
  }

  /// `icmp TYPE CODE [rest=N] [seq=N]`: an error about a segment of the host; seq: which one.
  void InjectIcmp(const Step& step) {
    const Flow& flow = flows_[ports_];
    Segment quoted;
    quoted.source = world_.HostAddress();
    quoted.destination = PeerAddress(script_.ipv6);
    quoted.source_port = ports_.local;
    quoted.destination_port = ports_.peer;
    quoted.seq = flow.last_seq;
    quoted.flags = kSyn;
    std::int64_t type = 0;
    std::int64_t code = 0;
    std::int64_t rest = 0;
    if (step.arguments.size() < 2 || !ParseNumber(step.arguments[0], &type) ||
        !ParseNumber(step.arguments[1], &code)) {
      Fail(step, "type and code");
    }
    for (std::size_t i = 2; i < step.arguments.size(); ++i) {
      const std::string& word = step.arguments[i];
      std::int64_t n = 0;
      if (word.starts_with("rest=") && ParseNumber(word.substr(5), &n)) {
        rest = n;
      } else if (word.starts_with("seq=") && ParseNumber(word.substr(4), &n)) {
        quoted.seq = flow.isn + static_cast<std::uint32_t>(n);
      } else if (word.starts_with("len=") && ParseNumber(word.substr(4), &n)) {
        quoted.payload.assign(static_cast<std::size_t>(n), 0);
      } else {
        Fail(step, word.c_str());
      }
    }
    const Bytes packet = Encode(quoted);
    const std::size_t size = script_.ipv6 ? 60 : 28;
    world_.Inject(EncodeIcmpError(PeerAddress(script_.ipv6), world_.HostAddress(),
                                  static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(code),
                                  static_cast<std::uint32_t>(rest), {packet.data(), size}));
  }

  // --- Calls -------------------------------------------------------------------------------------

  static socklen_t Fill(const Address& address, std::uint16_t port, sockaddr_storage* out) {
    std::memset(out, 0, sizeof *out);
    if (address.ipv6) {
      auto* v6 = reinterpret_cast<sockaddr_in6*>(out);
      v6->sin6_family = AF_INET6;
      v6->sin6_port = htons(port);
      std::memcpy(&v6->sin6_addr, address.bytes.data(), 16);
      return sizeof *v6;
    }
    auto* v4 = reinterpret_cast<sockaddr_in*>(out);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    std::memcpy(&v4->sin_addr, address.bytes.data(), 4);
    return sizeof *v4;
  }

  std::string NameText(int s, bool peer, std::uint16_t* port_out) {
    sockaddr_storage name = {};
    socklen_t length = sizeof name;
    const int result = world_.Name(s, peer, reinterpret_cast<sockaddr*>(&name), &length);
    if (result < 0) return ResultText(result);
    Address address;
    address.ipv6 = name.ss_family == AF_INET6;
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&name);
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&name);
    if (address.ipv6) {
      std::memcpy(address.bytes.data(), &v6->sin6_addr, 16);
    } else {
      std::memcpy(address.bytes.data(), &v4->sin_addr, 4);
    }
    const std::uint16_t port = ntohs(v4->sin_port);
    if (port_out != nullptr) *port_out = port;
    const char* who = address == world_.HostAddress()        ? "host"
                      : address == PeerAddress(script_.ipv6) ? "peer"
                      : address == Address{{}, address.ipv6} ? "any"
                                                             : "other";
    const bool chosen = port >= 32768 && port != ports_.peer && named_.count(port) == 0;
    return std::string(who) + ":" + (chosen ? "chosen" : std::to_string(port));
  }

  /// `PORT [host|peer|any|ADDRESS]`.
  Address Where(const Step& step, std::size_t at, const Address& otherwise) const {
    if (step.arguments.size() <= at) return otherwise;
    const std::string& word = step.arguments[at];
    if (word == "host") return world_.HostAddress();
    if (word == "peer") return PeerAddress(script_.ipv6);
    if (word == "any") return Address{{}, script_.ipv6};
    return ParseAddress(word);
  }

  std::uint16_t Port(const Step& step, std::size_t at) const {
    std::int64_t port = 0;
    if (!ParseNumber(step.arguments[at], &port)) Fail(step, "port");
    return static_cast<std::uint16_t>(port);
  }

  std::string Connect(const Step& step, int s) {
    sockaddr_storage to = {};
    if (step.arguments[1] == "unspec") {
      return ResultText(world_.Connect(s, reinterpret_cast<sockaddr*>(&to), sizeof(sockaddr_in)));
    }
    const socklen_t length = Fill(Where(step, 2, PeerAddress(script_.ipv6)), Port(step, 1), &to);
    const int result = world_.Connect(s, reinterpret_cast<sockaddr*>(&to), length);
    FollowFlow(s, Port(step, 1));
    return ResultText(result);
  }

  /// What is injected from now on is for this connection.
  void FollowFlow(int s, std::uint16_t peer) {
    std::uint16_t local = 0;
    NameText(s, false, &local);
    if (local != 0) ports_ = {local, peer};
  }

  std::string Send(const Step& step, Handle* handle) {
    const int flags = step.arguments.size() > 2 ? MessageFlags(step.arguments[2]) : 0;
    std::int64_t size = 0;
    if (flags < 0 || !ParseNumber(step.arguments[1], &size)) Fail(step, "size or flags");
    Bytes data(static_cast<std::size_t>(size));
    for (std::size_t i = 0; i < data.size(); ++i) {
      data[i] = Pattern(handle->sent + static_cast<std::uint32_t>(i));
    }
    sockaddr_storage to = {};
    socklen_t length = 0;
    // With MSG_FASTOPEN the call names the peer's port 80.
    if ((flags & MSG_FASTOPEN) != 0) length = Fill(PeerAddress(script_.ipv6), 80, &to);
    const int result =
        world_.Send(handle->number, data.data(), data.size(), flags,
                    length == 0 ? nullptr : reinterpret_cast<sockaddr*>(&to), length);
    if (result > 0) handle->sent += static_cast<std::uint32_t>(result);
    if (length != 0) FollowFlow(handle->number, 80);
    return ResultText(result);
  }

  std::string Recv(const Step& step, int s) {
    const int flags = step.arguments.size() > 2 ? MessageFlags(step.arguments[2]) : 0;
    std::int64_t size = 0;
    if (flags < 0 || !ParseNumber(step.arguments[1], &size)) Fail(step, "size or flags");
    Bytes data(static_cast<std::size_t>(size) + 1);
    const int result = world_.Recv(s, data.data(), static_cast<std::size_t>(size), flags);
    std::string text = ResultText(result);
    if (result <= 0 || (flags & MSG_TRUNC) != 0) return text;
    std::uint32_t hash = 2166136261u;
    for (int i = 0; i < result; ++i) hash = (hash ^ data[static_cast<std::size_t>(i)]) * 16777619u;
    const std::string shown(data.begin(), data.begin() + std::min(result, 12));
    text += " \"" + shown + "\"";
    if (result > 12) text += " hash " + std::to_string(hash);
    return text;
  }

  std::string Ioctl(const Step& step, int s) {
    const std::string& name = step.arguments[1];
    const unsigned long request = name == "SIOCINQ"       ? SIOCINQ
                                  : name == "SIOCOUTQ"    ? SIOCOUTQ
                                  : name == "SIOCOUTQNSD" ? SIOCOUTQNSD
                                  : name == "SIOCATMARK"  ? SIOCATMARK
                                                          : 0;
    if (request == 0) Fail(step, "request");
    int value = 0;
    const int result = world_.Ioctl(s, request, &value);
    return result < 0 ? ResultText(result) : std::to_string(value);
  }

  /// A new handle is called `target`; its number means nothing.
  std::string Opened(const Step& step, int result) {
    if (result < 0) return ResultText(result);
    if (step.target.empty()) Fail(step, "a name is missing");
    handles_[step.target] = {result};
    return "ok";
  }

  std::string CallOnHandle(const Step& step, Handle* handle) {
    const int s = handle->number;
    const std::string& verb = step.verb;
    if (verb == "bind") {
      sockaddr_storage at = {};
      const socklen_t length = Fill(Where(step, 2, world_.HostAddress()), Port(step, 1), &at);
      return ResultText(world_.Bind(s, reinterpret_cast<sockaddr*>(&at), length));
    }
    if (verb == "listen") return ResultText(world_.Listen(s, Port(step, 1)));
    if (verb == "accept") return Opened(step, world_.Accept(s));
    if (verb == "connect") return Connect(step, s);
    if (verb == "send") return Send(step, handle);
    if (verb == "recv") return Recv(step, s);
    if (verb == "shutdown") {
      const std::string& how = step.arguments[1];
      return ResultText(world_.Shutdown(s, how == "rd"     ? SHUT_RD
                                           : how == "wr"   ? SHUT_WR
                                           : how == "rdwr" ? SHUT_RDWR
                                                           : 99));
    }
    if (verb == "setsockopt") {
      return SetOption(world_, s, {step.arguments.begin() + 1, step.arguments.end()});
    }
    if (verb == "getsockopt") return GetOption(world_, s, step.arguments[1]);
    if (verb == "state") return StateText(world_, s);
    if (verb == "info") return InfoText(world_, s);
    if (verb == "loss") return LossText(world_, s);
    if (verb == "poll") return PollText(world_, s);
    if (verb == "ioctl") return Ioctl(step, s);
    return NameText(s, verb == "getpeername", nullptr);
  }

  std::string Call(const Step& step) {
    if (step.verb == "set") {
      std::string value = step.arguments[1];
      for (std::size_t i = 2; i < step.arguments.size(); ++i) value += " " + step.arguments[i];
      return ResultText(world_.Set(step.arguments[0], value));
    }
    if (step.verb == "socket") {
      const bool ipv6 = script_.ipv6 || (!step.arguments.empty() && step.arguments[0] == "6");
      return Opened(step, world_.Socket(ipv6 ? AF_INET6 : AF_INET));
    }
    const auto handle = handles_.find(step.arguments[0]);
    if (handle == handles_.end()) return "no handle";
    if (step.verb == "close") {
      const int result = world_.Close(handle->second.number);
      handles_.erase(handle);
      return ResultText(result);
    }
    return CallOnHandle(step, &handle->second);
  }

  void Do(const Step& step) {
    if (step.verb == "wait") return;
    if (step.verb == "<") return Inject(step);
    if (step.verb == "icmp") return InjectIcmp(step);
    if (step.verb == "flow") {
      ports_ = {Port(step, 0), Port(step, 1)};
      return;
    }
    Step plain = step;
    plain.wait = 0;
    const Micros at = trace_.times.back();
    trace_.calls.push_back(
        {.step = step_, .time = at, .packet = false, .text = plain.Text() + ": " + Call(step)});
  }

  const Script& script_;
  World& world_;
  Trace trace_;
  std::size_t step_ = 0;
  Ports ports_;
  std::set<std::int64_t> named_;
  std::map<Ports, Flow> flows_;
  std::map<std::string, Handle> handles_;
};

}  // namespace

Trace Run(const Script& script, World& world, const std::vector<Micros>* times) {
  return Runner(script, world).Run(times);
}

}  // namespace oracle
