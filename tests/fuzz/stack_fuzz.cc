// A whole stack under a byte program: packets made by hand or out of nothing, the user's calls,
// time, a link that is busy or holds on to packets, and memory that runs out. After every step the
// invariants must hold; at the end everything must go, and all memory come back.
//
// Payload towards the stack is a function of its sequence number, and payload from users of its
// offset, so that every byte read or sent can be checked.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "estab/stack.h"
#include "fuzz/loans.h"
#include "sim/packet_view.h"
#include "wire/checksum.h"
#include "wire/fragment.h"
#include "wire/ip.h"
#include "wire/super_segment.h"
#include "wire/tcp.h"

namespace estab {
namespace {

using namespace std::chrono_literals;

#define FUZZ_CHECK(condition)                                                            \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)

constexpr std::size_t kMostSteps = 500;
constexpr std::size_t kMostSockets = 12;
constexpr std::size_t kMostFlows = 16;
constexpr std::uint32_t kMtu = 1500;

// Reads the program; zeros when it is at its end.
class Program {
 public:
  Program(const std::uint8_t* data, std::size_t size) : bytes_(data, size) {}
  bool done() const { return at_ >= bytes_.size(); }
  std::uint8_t Byte() { return done() ? std::uint8_t{0} : bytes_[at_++]; }
  std::uint32_t Below(std::uint32_t bound) { return Byte() % bound; }
  bool Flag() { return (Byte() & 1) != 0; }
  std::uint16_t Half() {
    const std::uint16_t high = Byte();
    return static_cast<std::uint16_t>(high << 8 | Byte());
  }
  std::uint32_t Word() {
    const std::uint32_t high = Half();
    return high << 16 | Half();
  }
  std::span<const std::uint8_t> Take(std::size_t count) {
    count = std::min(count, bytes_.size() - at_);
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

// Memory that can be told to run out, and knows what it has lent.
class ScarceMemory : public Allocator {
 public:
  void* Allocate(std::size_t bytes, std::size_t alignment) override {
    if (left_ == 0) return nullptr;
    if (left_ != SIZE_MAX) --left_;
    lent_ += bytes;
    const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    return std::aligned_alloc(alignment, rounded);
  }
  void Free(void* memory, std::size_t bytes) override {
    FUZZ_CHECK(bytes <= lent_);
    lent_ -= bytes;
    std::free(memory);
  }
  void Leave(std::size_t allocations) { left_ = allocations; }
  std::size_t lent() const { return lent_; }

 private:
  std::size_t left_ = SIZE_MAX;
  std::size_t lent_ = 0;
};

// What a bystander knows of one connection, from what the stack has sent.
struct Flow {
  Tuple tuple;              // from the stack's side
  std::uint32_t next = 0;   // after the stack's last segment
  std::uint32_t ack = 0;    // what the stack expects
  std::uint32_t stamp = 0;  // its timestamp
  std::uint32_t our_stamp = 1;
  std::uint32_t iss = 0;
  bool has_iss = false;
  bool stamps = false;
};

struct Held {
  std::uint64_t token;
  std::vector<std::byte> copy;
  std::vector<Slice> pieces;
};

struct User {
  SocketId id;
  std::uint8_t written = 0;              // offset of the next byte, its low byte
  std::optional<std::uint8_t> expected;  // the next byte to be read
};

class Machine : public PacketSink {
 public:
  explicit Machine(Program& program) : p_(program) {}

  void Go() {
    {
      if (!Begin()) return;
      for (std::size_t i = 0; i < kMostSteps && !p_.done(); ++i) {
        Step();
        Check();
      }
      End();
      stack_.reset();
    }
    FUZZ_CHECK(memory_.lent() == 0);
  }

  SinkCapabilities Capabilities(LinkId) const override {
    SinkCapabilities c;
    c.holds = holds_;
    c.checksum = offload_;
    c.max_size = offload_ ? 65535 : 0;
    return c;
  }

  SinkResult Send(const TxPacket& packet) override {
    if (room_ == 0) return SinkResult::kBusy;
    --room_;
    FUZZ_CHECK(packet.size() <= (packet.gso_size == 0 ? kMtu : 65535));
    FUZZ_CHECK(offload_ || packet.checksum_start == 0);
    std::vector<std::byte> bytes(packet.header.begin(), packet.header.end());
    for (const Slice& s : packet.payload) bytes.insert(bytes.end(), s.data, s.data + s.size);
    NoteSegments(bytes, packet);
    if (!holds_ || packet.token == 0 || p_.Flag()) return SinkResult::kSent;
    Held held{packet.token, std::move(bytes), {}};
    held.pieces.push_back({packet.header.data(), packet.header.size()});
    held.pieces.insert(held.pieces.end(), packet.payload.begin(), packet.payload.end());
    held_.push_back(std::move(held));
    return SinkResult::kHeld;
  }

 private:
  static IpAddress Local(bool ipv6) {
    return ipv6 ? *IpAddress::Parse("2001:db8::1") : IpAddress::V4(0xc0000201);
  }
  static IpAddress Remote(bool ipv6) {
    return ipv6 ? *IpAddress::Parse("2001:db8::2") : IpAddress::V4(0xc0000202);
  }

  bool Begin() {
    StackConfig config;
    config.secret.fill(7);
    config.allocator = &memory_;
    auto stack = Stack::Create(config);
    if (!stack) return false;
    stack_.emplace(std::move(*stack));
    const auto link = stack_->AddLink({kMtu});
    FUZZ_CHECK(link.has_value());
    FUZZ_CHECK(stack_->AddAddress(*link, {Local(false), 24}).has_value());
    FUZZ_CHECK(stack_->AddAddress(*link, {Local(true), 64}).has_value());
    return true;
  }

  // --- The wire ----------------------------------------------------------------------------------

  Flow* FindFlow(const Tuple& tuple) {
    const auto found = std::ranges::find(flows_, tuple, &Flow::tuple);
    return found == flows_.end() ? nullptr : &*found;
  }

  // What the link does, and how large the segments are that arriving packets are merged of.
  void SetLink(std::uint8_t how) {
    holds_ = (how & 1) != 0;
    offload_ = (how & 2) != 0;
    gso_size_ = static_cast<std::uint16_t>((how >> 2) * 64);
  }

  // As they would be on the wire.
  void NoteSegments(const std::vector<std::byte>& bytes, const TxPacket& packet) {
    if (packet.checksum_start == 0) {
      FUZZ_CHECK(packet.gso_size == 0);
      return Note(bytes);
    }
    std::vector<std::byte> segment(bytes.size());
    for (wire::SuperSegmentCutter cutter(bytes, packet.gso_size); !cutter.done();) {
      const std::size_t size = cutter.Next(segment);
      FUZZ_CHECK(size <= kMtu);
      Note(std::span(segment).first(size));
    }
  }

  // Every packet that leaves is well-formed, and says what its user wrote.
  void Note(std::span<const std::byte> bytes) {
    const auto ip = wire::DecodeIp(bytes);
    FUZZ_CHECK(ip.has_value());
    if (!ip->Is(wire::Protocol::kTcp)) return;
    FUZZ_CHECK(wire::TcpChecksumValid(*ip));
    const auto tcp = wire::DecodeTcp(ip->payload);
    FUZZ_CHECK(tcp.has_value());
    const Tuple tuple{{ip->source, tcp->source_port}, {ip->destination, tcp->destination_port}};
    Flow* flow = FindFlow(tuple);
    if (flow == nullptr) {
      if (flows_.size() == kMostFlows) flows_.erase(flows_.begin());
      flow = &flows_.emplace_back();
      flow->tuple = tuple;
    }
    if (tcp->Has(kSyn)) {
      flow->iss = tcp->seq;
      flow->has_iss = true;
    }
    flow->next = tcp->seq + tcp->length();
    if (tcp->Has(kAck)) flow->ack = tcp->ack;
    flow->stamps = tcp->options.has_timestamp;
    if (flow->stamps) flow->stamp = tcp->options.ts_value;
    if (!flow->has_iss) return;
    std::uint32_t offset = tcp->seq - flow->iss - 1;
    for (const std::byte b : tcp->payload) {
      FUZZ_CHECK(b == static_cast<std::byte>(offset));
      ++offset;
    }
  }

  std::vector<std::byte> Payload(std::uint32_t seq, std::size_t size) const {
    std::vector<std::byte> payload(size);
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<std::byte>(seq + i);
    return payload;
  }

  void Inject(std::span<const std::byte> bytes, bool checksum_ok = false) {
    // A block of exactly this size, so that ASan sees a read past the end.
    const std::vector<std::byte> exact(bytes.begin(), bytes.end());
    RxPacket packet;
    packet.data = exact;
    packet.checksum_ok = checksum_ok;
    packet.gso_size = gso_size_;
    stack_->Receive(now_, std::span<const RxPacket>(&packet, 1));
  }

  void InjectRaw() {
    const auto raw = p_.Take(p_.Half() % 1600);
    std::vector<std::byte> bytes(raw.size());
    if (!raw.empty()) std::memcpy(bytes.data(), raw.data(), raw.size());
    checks_reads_ = false;
    Inject(bytes, p_.Flag());
  }

  // A number near `base`: exact, a little beside it, or anywhere.
  std::uint32_t Near(std::uint32_t base) {
    constexpr std::uint32_t kOffsets[] = {
        0,         0,     0,           1,        0u - 1,         2, 100, 1460, 65535,
        0u - 1460, 70000, 0u - 100000, 1u << 31, (1u << 31) - 1, 0, 0};
    const std::uint8_t how = p_.Byte();
    if (how < 0x80) return base + kOffsets[how % std::size(kOffsets)];
    if (how < 0xc0) return base + (how & 0x3f) * 16;
    if (how < 0xf0) return base - (how & 0x3f) * 16;
    return p_.Word();
  }

  void AddOptions(wire::Segment& segment, Flow& flow) {
    const std::uint8_t which = p_.Byte();
    wire::TcpOptions& o = segment.options;
    if (segment.Has(kSyn)) {
      o.has_mss = (which & 1) != 0;
      if (o.has_mss) o.mss = p_.Half();
      o.has_window_scale = (which & 2) != 0;
      if (o.has_window_scale) o.window_scale = static_cast<std::uint8_t>(p_.Below(16));
      o.sack_permitted = (which & 4) != 0;
    }
    // Of itself a segment carries timestamps if the stack's did.
    if (flow.stamps != ((which & 8) != 0)) {
      o.has_timestamp = true;
      o.ts_value = (which & 0x10) != 0 ? Near(flow.our_stamp) : flow.our_stamp++;
      o.ts_echo = (which & 0x20) != 0 ? Near(flow.stamp) : flow.stamp;
    }
    if ((which & 0x40) == 0) return;
    o.sack_count = static_cast<std::uint8_t>(p_.Below(4));
    for (std::size_t i = 0; i < o.sack_count; ++i) {
      o.sack[i].left = Near(flow.next);
      o.sack[i].right = Near(o.sack[i].left);
    }
  }

  void InjectSegment(Flow& flow) {
    wire::Segment segment;
    segment.flags = p_.Byte();
    segment.seq = Near(flow.ack);
    if (segment.Has(kAck)) segment.ack = Near(flow.next);
    segment.window = p_.Flag() ? std::uint16_t{65535} : p_.Half();
    AddOptions(segment, flow);
    const std::uint8_t length = p_.Byte();
    const std::size_t size = length < 0x80 ? 0 : (length & 0x7fu) * 11u;
    // The SYN has the first number, the data begins behind it.
    const auto payload = Payload(segment.seq + (segment.Has(kSyn) ? 1 : 0), size);
    segment.payload = payload;
    auto packet = sim::CraftPacket(flow.tuple.remote, flow.tuple.local, segment);
    if (p_.Byte() == 0xff) packet[p_.Half() % packet.size()] ^= std::byte{0x10};
    Inject(packet);
  }

  // The well-behaved peer: whatever the stack last said is acknowledged.
  void InjectGood(Flow& flow) {
    const std::uint8_t what = p_.Byte();
    wire::Segment segment;
    segment.flags = kAck;
    if ((what & 1) != 0) segment.flags |= kFin;
    if ((what & 2) != 0) segment.flags |= kSyn;
    segment.seq = flow.ack;
    segment.ack = flow.next;
    segment.window = (what & 4) != 0 ? std::uint16_t{0} : std::uint16_t{60000};
    segment.options.has_timestamp = flow.stamps;
    segment.options.ts_value = flow.our_stamp++;
    segment.options.ts_echo = flow.stamp;
    const auto payload = Payload(segment.seq + (segment.Has(kSyn) ? 1 : 0), (what >> 3) * 40u);
    segment.payload = payload;
    Inject(sim::CraftPacket(flow.tuple.remote, flow.tuple.local, segment));
  }

  void NewFlow() {
    const bool ipv6 = p_.Flag();
    Flow flow;
    flow.tuple.local = {Local(ipv6), Port()};
    flow.tuple.remote = {Remote(ipv6), static_cast<std::uint16_t>(40000 + p_.Below(4))};
    flow.ack = p_.Flag() ? 1000 : p_.Word();
    flow.stamps = p_.Flag();
    wire::Segment syn;
    syn.flags = kSyn;
    syn.seq = flow.ack;
    syn.window = 60000;
    AddOptions(syn, flow);
    Inject(sim::CraftPacket(flow.tuple.remote, flow.tuple.local, syn));
    if (FindFlow(flow.tuple) != nullptr) return;
    if (flows_.size() == kMostFlows) flows_.erase(flows_.begin());
    flow.ack += 1;
    flows_.push_back(flow);
  }

  // --- Beneath TCP -------------------------------------------------------------------------------

  // A well-formed packet for the stack: the next segment of a flow, or an echo request.
  std::vector<std::byte> AnyPacket(bool ipv6) {
    const std::uint16_t size = p_.Half() % 4000;
    if (p_.Flag() && !flows_.empty()) {
      Flow& flow = flows_[p_.Byte() % flows_.size()];
      wire::Segment segment;
      segment.flags = kAck;
      segment.seq = flow.ack;
      segment.ack = flow.next;
      segment.window = 60000;
      segment.options.has_timestamp = flow.stamps;
      segment.options.ts_value = flow.our_stamp++;
      segment.options.ts_echo = flow.stamp;
      const auto payload = Payload(segment.seq, size);
      segment.payload = payload;
      return sim::CraftPacket(flow.tuple.remote, flow.tuple.local, segment);
    }
    std::vector<std::byte> message(8u + size);
    message[0] = ipv6 ? std::byte{128} : std::byte{8};
    return Icmp(ipv6, message);
  }

  std::vector<std::byte> Icmp(bool ipv6, std::vector<std::byte> message) {
    const IpAddress from = Remote(ipv6);
    const IpAddress to = Local(ipv6);
    const std::uint8_t protocol = ipv6 ? 58 : 1;
    wire::Checksum checksum;
    if (ipv6) {
      checksum.AddPseudoHeader(from, to, protocol, static_cast<std::uint32_t>(message.size()));
    }
    checksum.Add(message);
    Store16(&message[2], checksum.Finish());
    std::vector<std::byte> packet(wire::IpHeaderSize(to));
    wire::EncodeIp(packet, {.source = from, .destination = to, .protocol = protocol},
                   message.size());
    packet.insert(packet.end(), message.begin(), message.end());
    return packet;
  }

  static void FixHeader(std::vector<std::byte>& packet) {
    if (packet.size() < 20 || (packet[0] & std::byte{0xf0}) != std::byte{0x40}) return;
    const std::size_t size = std::to_integer<std::size_t>(packet[0] & std::byte{0x0f}) * 4;
    if (size < 20 || size > packet.size()) return;
    Store16(&packet[10], 0);
    wire::Checksum checksum;
    checksum.Add(std::span(packet).first(size));
    Store16(&packet[10], checksum.Finish());
  }

  // In fragments, forwards or backwards, one of them lost, repeated or moved.
  void InjectInPieces() {
    const std::uint8_t how = p_.Byte();
    const auto packet = AnyPacket((how & 1) != 0);
    const std::size_t mtu = 68 + p_.Byte() * 4u;
    wire::Fragmenter fragmenter(packet, mtu, p_.Below(4));
    std::vector<std::vector<std::byte>> pieces;
    while (!fragmenter.done()) {
      pieces.emplace_back(mtu);
      pieces.back().resize(fragmenter.Next(pieces.back()));
    }
    const bool v4 = (packet[0] & std::byte{0xf0}) == std::byte{0x40};
    std::vector<std::byte>& odd = pieces[p_.Byte() % pieces.size()];
    if ((how & 2) != 0) std::ranges::reverse(pieces);
    if ((how & 4) != 0) odd[v4 ? 7 : 43] ^= static_cast<std::byte>(p_.Byte());
    if ((how & 8) != 0) odd[v4 ? 6 : 43] ^= std::byte{0x21};
    FixHeader(odd);
    for (const auto& piece : pieces) {
      if ((how & 0x10) != 0 && &piece == &odd) continue;
      Inject(piece);
      if ((how & 0x20) != 0) Inject(piece);
    }
  }

  // Behind IPv4 options or IPv6 extension headers out of nothing.
  void InjectBehindHeaders() {
    const bool ipv6 = p_.Flag();
    const auto packet = AnyPacket(ipv6);
    const bool v4 = (packet[0] & std::byte{0xf0}) == std::byte{0x40};
    const std::size_t fixed = v4 ? 20 : 40;
    const auto extra = p_.Take(v4 ? p_.Below(11) * 4 : p_.Below(32) * 8);
    std::vector<std::byte> out(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(fixed));
    for (const std::uint8_t b : extra) out.push_back(std::byte{b});
    while (out.size() % (v4 ? 4 : 8) != 0) out.push_back(std::byte{0});
    const std::size_t header = out.size();
    out.insert(out.end(), packet.begin() + static_cast<std::ptrdiff_t>(fixed), packet.end());
    if (v4) {
      out[0] = static_cast<std::byte>(0x40 | header / 4);
      Store16(&out[2], static_cast<std::uint16_t>(out.size()));
      FixHeader(out);
    } else {
      constexpr std::uint8_t kExtensions[] = {0, 43, 44, 60};
      Store16(&out[4], static_cast<std::uint16_t>(out.size() - 40));
      if (header != fixed) out[6] = std::byte{kExtensions[p_.Below(4)]};
    }
    Inject(out);
  }

  // An ICMP error that quotes a segment of a flow; perhaps that it was too big, and by how much.
  void InjectErrorAbout(bool too_big) {
    if (flows_.empty()) return;
    Flow& flow = flows_[p_.Byte() % flows_.size()];
    wire::Segment quoted;
    quoted.flags = kAck;
    quoted.seq = Near(flow.next);
    const auto offending = sim::CraftPacket(flow.tuple.local, flow.tuple.remote, quoted);
    const bool ipv6 = !flow.tuple.local.address.is_v4();
    std::vector<std::byte> message(8);
    if (too_big) {
      message[0] = ipv6 ? std::byte{2} : std::byte{3};
      message[1] = ipv6 ? std::byte{0} : std::byte{4};
      Store16(&message[6], p_.Half());
    } else {
      message[0] = std::byte{p_.Byte()} & std::byte{0x0f};
      message[1] = std::byte{p_.Byte()} & std::byte{0x1f};
    }
    message.insert(message.end(), offending.begin(), offending.end());
    Inject(Icmp(ipv6, std::move(message)));
  }

  void Complete(std::size_t count) {
    while (count-- > 0 && !held_.empty()) {
      const std::size_t which = held_.size() > 1 ? p_.Byte() % held_.size() : 0;
      const Held& held = held_[which];
      std::size_t at = 0;
      for (const Slice& s : held.pieces) {
        FUZZ_CHECK(std::memcmp(held.copy.data() + at, s.data, s.size) == 0);
        at += s.size;
      }
      const std::uint64_t token = held.token;
      held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(which));
      stack_->TransmitComplete(std::span(&token, 1));
    }
  }

  // --- Users -------------------------------------------------------------------------------------

  std::uint16_t Port() { return static_cast<std::uint16_t>(80 + p_.Below(4)); }

  Endpoint Peer() {
    const std::uint8_t which = p_.Byte();
    const bool ipv6 = (which & 1) != 0;
    if ((which & 0x0e) == 0) return {Local(ipv6), Port()};  // ourselves
    return {Remote(ipv6), static_cast<std::uint16_t>(7000 + (which >> 4))};
  }

  User* AnyUser() { return users_.empty() ? nullptr : &users_[p_.Byte() % users_.size()]; }

  void AddUser(SocketId id) {
    users_.push_back({id, 0, std::nullopt});
    if (users_.size() <= kMostSockets) return;
    static_cast<void>(stack_->Close(now_, users_.front().id));
    users_.erase(users_.begin());
  }

  void Drop(User* user) { users_.erase(users_.begin() + (user - users_.data())); }

  void Write(User& user, std::size_t size) {
    const auto data = Payload(user.written, size);
    const auto sent = size % 4 == 3 ? loans_.Send(*stack_, now_, user.id, data)
                                    : stack_->Send(now_, user.id, data);
    if (!sent) return;
    FUZZ_CHECK(*sent <= size);
    user.written = static_cast<std::uint8_t>(user.written + *sent);
  }

  void Read(User& user, std::size_t size, bool peek) {
    if (!peek && size % 4 == 3) return Borrow(user);
    std::vector<std::byte> into(size);
    const auto got = stack_->Read(now_, user.id, into, peek);
    if (!got) return;
    FUZZ_CHECK(*got <= size);
    CheckRead(user, std::span(into).first(*got), peek);
  }

  void Borrow(User& user) {
    const auto got = loans_.Borrow(*stack_, now_, user.id);
    if (got) CheckRead(user, *got, false);
    FUZZ_CHECK(loans_.GiveBack(*stack_, now_, p_.Below(8)));
  }

  void CheckRead(User& user, std::span<const std::byte> bytes, bool peek) {
    if (!checks_reads_ || bytes.empty()) return;
    std::uint8_t expected = user.expected.value_or(static_cast<std::uint8_t>(bytes[0]));
    for (const std::byte byte : bytes) FUZZ_CHECK(byte == static_cast<std::byte>(expected++));
    if (!peek) user.expected = expected;
  }

  void SetOptions(User& user) {
    auto options = stack_->GetOptions(user.id);
    FUZZ_CHECK(options.has_value());
    const std::uint8_t which = p_.Byte();
    options->no_delay = (which & 1) != 0;
    options->keepalive = (which & 2) != 0;
    options->reuse_address = (which & 4) != 0;
    options->linger = (which & 8) != 0;
    if ((which & 0x10) != 0) options->receive_buffer = p_.Half();
    if ((which & 0x20) != 0) options->send_buffer = p_.Half();
    if ((which & 0x40) != 0) options->user_timeout_ms = p_.Half();
    if ((which & 0x80) != 0) {
      options->max_segment = p_.Half();
      options->syn_count = p_.Byte();
      options->keepalive_idle = p_.Byte();
      options->keepalive_count = p_.Byte();
      options->fin_wait2_seconds = static_cast<std::int8_t>(p_.Byte());
      options->v6_only = p_.Flag();
      options->ttl = p_.Byte();
      options->tos = p_.Byte();
      options->mtu_discovery = static_cast<MtuDiscovery>(p_.Below(7));
      options->mtu_discovery_v6 = static_cast<MtuDiscovery>(p_.Below(7));
    }
    static_cast<void>(stack_->SetOptions(now_, user.id, *options));
  }

  void SetSetting() {
    constexpr std::string_view kNames[] = {
        "net.ipv4.tcp_syn_retries",
        "net.ipv4.tcp_synack_retries",
        "net.ipv4.tcp_max_syn_backlog",
        "net.core.somaxconn",
        "net.ipv4.tcp_timestamps",
        "net.ipv4.tcp_window_scaling",
        "net.ipv4.tcp_sack",
        "net.ipv4.tcp_retries2",
        "net.ipv4.tcp_orphan_retries",
        "net.ipv4.tcp_max_orphans",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_max_tw_buckets",
        "net.ipv4.tcp_rfc1337",
        "net.ipv4.tcp_tw_reuse",
        "net.ipv4.tcp_abort_on_overflow",
        "net.ipv4.tcp_challenge_ack_limit",
        "net.ipv4.tcp_min_snd_mss",
        "net.ipv4.tcp_rto_max_ms",
        "estab.tcp_msl",
        "estab.tcp_rto_initial",
        "estab.tcp_rto_min",
        "net.ipv4.tcp_slow_start_after_idle",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_fastopen",
        "net.ipv4.ipfrag_high_thresh",
        "net.ipv4.ipfrag_time",
        "net.ipv6.ip6frag_high_thresh",
        "net.ipv6.ip6frag_time",
        "net.ipv4.icmp_ratelimit",
        "net.ipv6.icmp.ratelimit",
        "net.ipv4.icmp_msgs_per_sec",
        "net.ipv4.icmp_msgs_burst",
        "net.ipv4.tcp_mtu_probing",
        "net.ipv4.tcp_base_mss",
        "net.ipv4.tcp_mtu_probe_floor",
        "net.ipv4.tcp_probe_interval",
        "net.ipv4.tcp_probe_threshold",
        "net.ipv4.tcp_retries1",
        "net.ipv4.ip_no_pmtu_disc",
        "net.ipv4.route.min_pmtu",
        "net.ipv4.route.mtu_expires",
    };
    const std::string_view name = kNames[p_.Byte() % std::size(kNames)];
    std::array<char, 16> text;
    int value = p_.Flag() ? p_.Byte() : p_.Half();
    if (name == "net.ipv4.tcp_syncookies" || name == "net.ipv4.tcp_mtu_probing") value %= 3;
    if (name == "net.ipv4.ip_no_pmtu_disc") value %= 4;
    if (name == "net.ipv4.tcp_fastopen")
      value = (value & 0x607) | 0x602;  // every listener, without cookies
    const int n = std::snprintf(text.data(), text.size(), "%d", value);
    static_cast<void>(stack_->SetSetting(name, {text.data(), static_cast<std::size_t>(n)}));
  }

  void Call(std::uint8_t which) {
    if (which == 0) {
      if (const auto id = stack_->Open(p_.Flag())) AddUser(*id);
      return;
    }
    User* user = AnyUser();
    if (user == nullptr) return;
    switch (which) {
      case 1: {
        const bool any = p_.Flag();
        const bool ipv6 = p_.Flag();
        const IpAddress wild = ipv6 ? IpAddress::AnyV6() : IpAddress::AnyV4();
        static_cast<void>(stack_->Bind(user->id, {any ? wild : Local(ipv6), Port()}));
        return;
      }
      case 2:
        static_cast<void>(stack_->Listen(now_, user->id, static_cast<std::int8_t>(p_.Byte())));
        return;
      case 3:
        static_cast<void>(stack_->Connect(now_, user->id, Peer()));
        return;
      case 4:
        if (const auto id = stack_->Accept(now_, user->id)) AddUser(*id);
        return;
      case 5:
        return Write(*user, p_.Half() % 20000);
      case 6:
        return Read(*user, p_.Half() % 20000, p_.Byte() % 8 == 7);
      case 7:
        static_cast<void>(stack_->Shutdown(now_, user->id, static_cast<How>(p_.Below(3))));
        return;
      case 8:
        FUZZ_CHECK(stack_->Close(now_, user->id).has_value());
        FUZZ_CHECK(!stack_->GetTuple(user->id).has_value());
        return Drop(user);
      case 9:
        FUZZ_CHECK(stack_->Abort(now_, user->id).has_value());
        FUZZ_CHECK(!stack_->GetTuple(user->id).has_value());
        return Drop(user);
      case 10:
        return SetOptions(*user);
      default:
        return Ask(*user);
    }
  }

  void Ask(const User& user) {
    FUZZ_CHECK(stack_->GetInfo(now_, user.id).has_value());
    FUZZ_CHECK(stack_->GetReadiness(user.id).has_value());
    FUZZ_CHECK(stack_->Drained(user.id).has_value());
    static_cast<void>(stack_->TakeError(user.id));
    std::array<ReadyEvent, 4> events;
    const std::size_t count = stack_->DrainReady(events);
    for (const ReadyEvent& e : std::span(events).first(count)) {
      FUZZ_CHECK(stack_->GetTuple(e.socket).has_value());
    }
    std::size_t seen = 0;
    stack_->ForEach([](void* n, const ConnectionInfo&) { ++*static_cast<std::size_t*>(n); }, &seen,
                    now_);
  }

  // --- Time --------------------------------------------------------------------------------------

  void AdvanceTo(Time until) {
    for (int i = 0; i < 200; ++i) {
      const Time next = stack_->NextDeadline();
      if (next > until) break;
      now_ = std::max(now_, next);
      // Its deadline was exact: there is something to do then.
      FUZZ_CHECK(stack_->Advance(now_) != 0);
      stack_->Transmit(now_, *this);
    }
    now_ = std::max(now_, until);
  }

  void Step() {
    const std::uint8_t op = p_.Byte();
    if (op < 0x18) return Call(static_cast<std::uint8_t>(op % 12));
    if (op >= 0xf8) return InjectErrorAbout(op >= 0xfc);
    if (op >= 0xf0) return InjectBehindHeaders();
    if (op >= 0xe0) return InjectInPieces();
    switch (op % 16) {
      case 0:
        return InjectRaw();
      case 1:
        return NewFlow();
      case 2:
      case 3:
      case 4:
        if (!flows_.empty()) InjectSegment(flows_[p_.Byte() % flows_.size()]);
        return;
      case 5:
      case 6:
        if (!flows_.empty()) InjectGood(flows_[p_.Byte() % flows_.size()]);
        return;
      case 7:
        return AdvanceTo(now_ + std::chrono::milliseconds(p_.Byte()));
      case 8:
        return AdvanceTo(now_ + std::chrono::milliseconds(p_.Half()));
      case 9:
        // All that is due at once, late.
        now_ += std::chrono::milliseconds(p_.Half());
        stack_->Advance(now_, 1 + p_.Below(8));
        return;
      case 10:
      case 11:
        stack_->Transmit(now_, *this, p_.Flag() ? SIZE_MAX : p_.Below(4));
        return;
      case 12:
        room_ = p_.Flag() ? SIZE_MAX : p_.Below(8);
        return SetLink(p_.Byte());
      case 13:
        return Complete(1 + p_.Below(4));
      case 14:
        return SetSetting();
      default:
        return Harm();
    }
  }

  void Harm() {
    const std::uint8_t what = p_.Byte();
    if (what == 0xff) {
      stack_->ResetAll(now_);
      // Aborted connections take their handles along.
      std::erase_if(users_, [&](const User& u) { return !stack_->GetTuple(u.id).has_value(); });
    } else if (what < 0x40) {
      memory_.Leave(p_.Below(8));
    } else {
      memory_.Leave(SIZE_MAX);
    }
  }

  void Check() {
    stack_->CheckInvariants();
    FUZZ_CHECK(loans_.TakeBack(*stack_));
    const StackCounters n = stack_->Counters();
    FUZZ_CHECK(n.orphans <= n.sockets);
    FUZZ_CHECK(users_.size() <= n.sockets);
    FUZZ_CHECK(n.memory_in_use <= n.memory);
    FUZZ_CHECK(n.memory <= memory_.lent());
    if (n.sockets + n.half_open + n.time_wait == 0 && n.memory_in_use == 0) {
      FUZZ_CHECK(stack_->NextDeadline() == kNever);
    }
  }

  void End() {
    memory_.Leave(SIZE_MAX);
    room_ = SIZE_MAX;
    holds_ = offload_ = false;
    const bool abort = p_.Flag();
    for (const User& user : users_) {
      static_cast<void>(abort ? stack_->Abort(now_, user.id) : stack_->Close(now_, user.id));
    }
    users_.clear();
    Complete(held_.size());
    FUZZ_CHECK(loans_.GiveBack(*stack_, now_, 0));
    stack_->Transmit(now_, *this);
    for (int i = 0; stack_->NextDeadline() != kNever; ++i) {
      FUZZ_CHECK(i < 100'000);
      AdvanceTo(now_ + 1h);
    }
    stack_->Transmit(now_, *this);
    stack_->CheckInvariants();
    FUZZ_CHECK(!stack_->WantsTransmit());
    FUZZ_CHECK(loans_.TakeBack(*stack_) && loans_.settled());
    const StackCounters n = stack_->Counters();
    FUZZ_CHECK(n.sockets == 0);
    FUZZ_CHECK(n.half_open == 0);
    FUZZ_CHECK(n.time_wait == 0);
    FUZZ_CHECK(n.orphans == 0);
    FUZZ_CHECK(n.payload_chunks == 0);
    FUZZ_CHECK(n.memory_in_use == 0);
  }

  Program& p_;
  ScarceMemory memory_;
  std::optional<Stack> stack_;
  Time now_{1s};
  std::size_t room_ = SIZE_MAX;
  bool holds_ = false;
  bool offload_ = false;
  std::uint16_t gso_size_ = 0;
  bool checks_reads_ = true;
  std::vector<Flow> flows_;
  std::vector<Held> held_;
  std::vector<User> users_;
  Loans loans_;
};

}  // namespace
}  // namespace estab

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  estab::Program program(data, size);
  estab::Machine(program).Go();
  return 0;
}
