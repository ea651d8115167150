// The inside of a Stack: its records, tables and pools, and what happens between them.
#pragma once

#include <optional>

#include "estab/stack.h"
#include "stack/demux.h"
#include "stack/fast_open.h"
#include "stack/fragments.h"
#include "stack/icmp_limiter.h"
#include "stack/isn.h"
#include "stack/network.h"
#include "stack/options_table.h"
#include "stack/path_cache.h"
#include "stack/ports.h"
#include "stack/replies.h"
#include "stack/settings_table.h"
#include "stack/socket.h"
#include "stack/timer_wheel.h"
#include "tcp/arriving.h"
#include "tcp/context.h"
#include "tcp/sender.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/last_segment.h"

namespace estab {

/// What a stack's tables are keyed with; all from one secret.
struct StackKeys {
  SipKey table{};
  SipKey sequence{};
  SipKey ports{};
  SipKey cookies{};
  SipKey fragments{};
};

struct Stack::Impl {
  static constexpr auto kTcp = static_cast<std::uint8_t>(wire::Protocol::kTcp);
  using Context = tcp::Context;
  using Socket = stack::Socket;
  using HalfOpenRecord = stack::HalfOpenRecord;
  using Listener = stack::Listener;
  using Ref = stack::Ref;
  using Owner = stack::Owner;

  Impl(const StackConfig& config, Allocator& from);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  /// Takes the first memory; false if there is none.
  bool Begin();
  /// `estab.seed`: the secret from a text. kBusy once anything depends on the old one.
  Result<void> SetSeed(std::string_view text);
  /// `estab.profile`: the settings of that profile, but for those that were set by name. kInvalid.
  Result<void> SetProfile(std::string_view name);
  /// Derives the keys from a secret of 32 bytes.
  void Seed(std::span<const std::uint8_t, 32> secret);

  Context MakeContext(Time now) {
    return Context{now, settings, buffers, recorder, challenges, Cause{}};
  }

  // --- receive.cc: from packets to records ---
  /// How a packet came.
  struct Arrival {
    LinkId link = 0;
    bool checksum_ok = false;    // TCP's or UDP's is known to be right
    bool from_us = false;        // it never was on a link
    std::uint16_t gso_size = 0;  // as in RxPacket
  };
  void Receive(Time now, std::span<const RxPacket> packets);
  void ReceivePacket(Context& cx, const RxPacket& packet);
  void ReceiveIp(Time now, const wire::IpPacket& ip, const Arrival& arrival);
  /// A whole datagram goes to its protocol.
  void Deliver(Time now, const wire::IpPacket& ip, const Arrival& arrival);
  /// RFC 1122 §3.2.1.3: no host has such a source address, so nothing shall be sent there.
  bool BadSource(const IpAddress& source, bool looped) const;
  bool ReceiveNext(Context& cx, const RxPacket& packet);
  void Remember(Socket& socket, const wire::IpPacket& ip, const Arrival& arrival,
                const wire::Segment& segment);
  static void NoteSegment(Context& cx, ConnectionNumber number, const Tuple& tuple,
                          const wire::Segment& segment);
  void ReceiveTcp(Time now, const wire::IpPacket& ip, const Arrival& arrival);
  bool Vouches(Ref ref, bool from_us) const;
  void ArriveAtSocket(Context& cx, Socket& socket, LinkId link, const wire::Segment& segment);
  /// Settles the socket to which segments have come in a row, if there is one. Whatever else may
  /// touch a connection comes after it.
  void SettleArrived(Time now);
  void ReceiveUdp(Time now, const wire::IpPacket& ip, const Arrival& arrival);
  void ArriveForNobody(Context& cx, const Tuple& tuple, LinkId link, const wire::Segment& segment);

  // --- receive_fragment.cc ---
  void ReceiveFragment(Time now, const wire::IpPacket& ip, const Arrival& arrival);
  void OnDatagramDeadline(Time now, stack::Datagram& datagram);
  stack::FragmentTable& FragmentsOf(const IpAddress& address) {
    return address.is_v4() ? fragments4 : fragments6;
  }

  // --- shards.cc: the other stacks of a group ---
  /// The stack that the hash of a tuple belongs to.
  std::uint16_t ShardOf(std::uint32_t hash) const { return stack::ShardOf(hash, shard.count); }
  /// True if a packet that belongs to no connection of ours belongs, by its tuple, to another
  /// stack; it has then gone there.
  bool HandedOver(const Tuple& tuple, const wire::IpPacket& ip, const Arrival& arrival);
  /// The same of a fragment.
  bool FragmentHandedOver(const wire::IpPacket& ip, const Arrival& arrival);
  bool HandOver(std::uint16_t owner, const wire::IpPacket& ip, const Arrival& arrival);
  /// Our part of a limit, rounded up: nobody is left with nothing of something.
  std::uint32_t ShareOf(std::int32_t limit) const;
  void SetMemoryLimit(std::uint64_t bytes);

  // --- icmp_output.cc: each asks whether it may be sent, and the limiter ---
  /// Protocol unreachable, or unrecognized next header.
  void ReportUnknownProtocol(Time now, const wire::IpPacket& ip, LinkId link);
  void ReportUnknownPort(Time now, const wire::IpPacket& ip, LinkId link);
  void ReportReassemblyTimeout(Time now, const wire::IpPacket& first, LinkId link);
  void ReportHeaderProblem(Time now, const wire::IpPacket& ip, LinkId link,
                           const wire::HeaderProblem& problem);
  /// What there is to tell about bytes that DecodeIp refused.
  void ReportRefusal(Time now, std::span<const std::byte> bytes, LinkId link);
  void SendReport(Time now, const wire::IpPacket& ip, LinkId link, const wire::IcmpReport& report);

  // --- icmp_input.cc ---
  void ReceiveIcmp(Time now, const wire::IpPacket& ip, const Arrival& arrival);
  /// An ICMP error about one of our segments.
  void ArriveIcmpError(Time now, const wire::IcmpError& error, const Tuple& tuple, Ref ref);

  // --- demultiplexing (connections.cc) ---
  std::uint32_t Hash(const Tuple& tuple) const { return hasher(tuple); }
  Ref Lookup(const Tuple& tuple) const { return Lookup(tuple, Hash(tuple)); }
  /// `hash`: of the tuple.
  Ref Lookup(const Tuple& tuple, std::uint32_t hash) const;
  bool Matches(Ref ref, const Tuple& tuple) const;
  ConnectionNumber NumberOf(Ref ref) const;
  /// Who takes a SYN of that tuple; of those that share a port (SO_REUSEPORT) the one that the
  /// tuple's keyed hash says, always the same as long as the group is the same.
  Listener* FindListener(const Tuple& tuple);

  // --- connections.cc: the life of a socket ---
  /// Whether they are more than the cache holds, so that it pays to fetch them ahead.
  bool ManyConnections() const {
    constexpr std::uint32_t kFew = 2048;
    return index.size() >= kFew;
  }
  /// All of a connection that was not visited for long comes from memory at once, not line by line.
  void Fetch(std::uint32_t slot) const {
    if (ManyConnections()) sockets.Prefetch(slot);
  }
  Socket* Get(SocketId id);
  const Socket* Get(SocketId id) const;
  SocketId IdOf(const Socket& socket) const;
  Socket* NewSocket(bool ipv6, const SocketOptions* options);
  /// Puts a connection, whose tuple has that hash, into the table and counts it at its port; false
  /// without memory.
  bool Attach(Socket& socket, std::uint32_t hash);
  /// Takes it out again.
  void Detach(Socket& socket);
  /// It stands in the table no longer.
  void LeaveTable(Socket& socket);
  void Destroy(Socket& socket);
  /// Brings everything around a socket into line with its TCB after an event: resets, tables,
  /// timer, output, readiness. The socket may be gone afterwards.
  void Settle(Context& cx, Socket& socket);
  /// The part of it that sending can change.
  void SettleAfterSending(Context& cx, Socket& socket);
  void UpdateReadiness(const Context& cx, Socket& socket);
  /// Aborts if an invariant of the socket or of its places does not hold.
  void CheckSocket(const Context& cx, const Socket& socket) const;
  std::uint8_t Readiness(const Context& cx, const Socket& socket) const;
  ConnectionNumber NextNumber();
  stack::Origins OriginsOf(const Tuple& tuple) const;
  /// The ISN of a connection that begins now.
  SndSeq FreshSequence(const stack::Origins& origins, Time now) const;

  // --- listener.cc: passive opening ---
  /// The tuple under which a listener stands in the table.
  static stack::Sharing SharingOf(const SocketOptions& options) {
    return {options.reuse_address, options.reuse_port};
  }
  static Tuple ListenerTuple(const Endpoint& local) {
    return {local, {local.address.is_v4() ? IpAddress::AnyV4() : IpAddress::AnyV6(), 0}};
  }
  void ArriveAtListener(Context& cx, Listener& listener, const Tuple& tuple, LinkId link,
                        const wire::Segment& segment, const SndSeq* iss);
  void ArriveAtHalfOpen(Context& cx, HalfOpenRecord& record, const wire::Segment& segment);
  /// A SYN that opens: the rule says what became of it. `iss`: ours, if TIME_WAIT made way for it.
  RuleId OpenPassively(Context& cx, Listener& listener, const Tuple& tuple, LinkId link,
                       const wire::Segment& segment, const SndSeq* iss);
  /// How many half-open records a listener may have.
  std::uint32_t SynQueueLimit(const Listener& listener) const;
  bool InLastQuarter(const Listener& listener) const;
  /// What is known of a half-open connection before its SYN is looked at.
  static void DescribeHalfOpen(const Tuple& tuple, LinkId link, const stack::Origins& origins,
                               SndSeq iss, tcp::HalfOpen& half);
  /// `cookie`, if it is one, goes with the first SYN|ACK.
  bool StartHalfOpen(Context& cx, Listener& listener, const tcp::HalfOpen& half,
                     const stack::FastOpenCookie& cookie);
  void SendSynAck(Context& cx, HalfOpenRecord& record, bool repeat,
                  const stack::FastOpenCookie* cookie = nullptr);
  void ArmSynAckTimer(Context& cx, HalfOpenRecord& record);
  void OnHalfOpenDeadline(Context& cx, HalfOpenRecord& record);
  void FireHalfOpen(Context& cx, const HalfOpenRecord& record, RuleId rule);
  const SocketOptions& OptionsOf(const Listener& listener) const;
  /// Puts a listener into the table, or beside those that listen there already; false: no memory.
  bool Enlist(Socket& socket);
  /// Takes it out again.
  void Delist(Socket& socket);
  static bool AcceptQueueFull(const Listener& listener) {
    return listener.waiting > listener.backlog;
  }

  // --- cookie_listener.cc: opening without remembering ---
  void SendCookie(Context& cx, Listener& listener, tcp::HalfOpen& half, const wire::Segment& syn);
  bool RestoreFromCookie(Context& cx, const Listener& listener, const Tuple& tuple, LinkId link,
                         const wire::Segment& ack, tcp::HalfOpen& half);
  /// An ACK for a listener: kListenCookieAck if it made a connection, else why it did not.
  RuleId TakeCookie(Context& cx, Listener& listener, const Tuple& tuple, LinkId link,
                    const wire::Segment& segment);

  // --- fast_open_calls.cc ---
  /// What a SYN's Fast Open option is worth: a connection at once, a cookie for the SYN|ACK.
  struct FastOpenGrant {
    bool open = false;
    stack::FastOpenCookie cookie{};
  };
  void EnableFastOpen(Socket& listening, std::uint32_t most);
  /// A listener's own keys, or the stack's.
  stack::FastOpenKeys FastOpenKeysOf(const SocketOptions& options) const;
  bool FastOpenRoom(Context& cx, Listener& listener);
  FastOpenGrant JudgeFastOpen(Context& cx, Listener& listener, const Tuple& tuple,
                              const wire::Segment& syn);
  bool OpenOnSyn(Context& cx, Listener& listener, tcp::HalfOpen half, const wire::Segment& syn,
                 const FastOpenGrant& grant);
  void CountFastOpen(Context& cx, Socket& socket);
  void EndFastOpen(Context& cx, Socket& socket) {
    if (socket.fast_open_pending) CountFastOpen(cx, socket);
  }
  bool MaySendOnSyn(Socket& socket);
  Result<std::size_t> ConnectWithData(Time now, Socket& socket, const Endpoint& remote,
                                      std::span<const std::byte> data);
  bool ConnectLater(Context& cx, Socket& socket);
  void AddFastOpenOption(const Socket& socket, wire::Segment& syn) const;
  void NoteSynAck(const Socket& socket, tcp::FastOpen before, const wire::Segment& syn_ack);

  // --- accept_queue.cc: from half-open to connections that wait for accept ---
  void Complete(Context& cx, HalfOpenRecord& record, const wire::Segment& segment);
  const SocketOptions* ChildOptions(const SocketOptions& parent);
  /// A socket in SYN_RCVD, not yet in the table of connections; nullptr without memory.
  Socket* NewChild(Context& cx, const Listener& listener, const tcp::HalfOpen& half);
  /// Puts it into the accept queue; what brought it there is then for it to take.
  void Enqueue(Listener& listener, Socket& socket);
  void SettleChild(Context& cx, const Listener& listener, Socket& socket);
  void Unqueue(Context& cx, HalfOpenRecord& record);
  void Forget(Context& cx, HalfOpenRecord& record);
  void CloseListener(Context& cx, Socket& socket);

  // --- time_waits.cc ---
  void EnterTimeWait(Context& cx, Socket& socket);
  /// An orphan in FIN_WAIT_2 that the policy treats as a record: it counts against
  /// tcp_max_tw_buckets from now on and no longer against tcp_max_orphans. Over the limit it
  /// closes.
  void CountAsRecord(Context& cx, Socket& socket);
  /// Whether tcp_max_tw_buckets leaves room for one more.
  bool RecordRoom() const;
  template <class Record>
  bool AddTimeWait(Context& cx, Slab<Record>& slab, Owner owner, Socket& socket,
                   const tcp::TimeWait& state);
  void ArriveAtTimeWait(Context& cx, Ref ref, const Tuple& tuple, LinkId link,
                        const wire::Segment& segment);
  /// 2MSL, from now.
  void ArmTimeWait(Context& cx, stack::TimerNode& node, ConnectionNumber number,
                   const Tuple& tuple);
  tcp::TimeWait& TimeWaitOf(Ref ref);
  const tcp::TimeWait& TimeWaitOf(Ref ref) const;
  stack::TimerNode& TimeWaitNode(Ref ref);
  tcp::Stamp RestartedAt(Ref ref, tcp::Stamp now);
  void RemoveTimeWait(Ref ref, const Tuple& tuple);
  void OnTimeWaitDeadline(Context& cx, Ref ref);
  void SendTimeWaitAck(Context& cx, const tcp::TimeWait& state, const Tuple& tuple,
                       std::uint32_t offset);

  // --- paths.cc ---
  /// What is known of the path to `destination` over `link`.
  stack::PathMtu PathTo(const IpAddress& destination, LinkId link, Time now) const;
  /// What the socket's path takes may have changed, by news about another connection or by time.
  void SyncPath(Context& cx, Socket& socket);
  /// What an ICMP message makes of a path that was thought to take `old`; nothing if that stays.
  std::optional<stack::PathMtu> BelievedMtuV4(const wire::IcmpError& error,
                                              std::uint32_t old) const;
  std::optional<stack::PathMtu> BelievedMtuV6(const Socket& socket, std::uint32_t mtu,
                                              std::uint32_t old) const;
  void CountPaths(StackCounters& c) const;
  /// A packet of the socket's, in flight, was too big.
  void TakePacketTooBig(Context& cx, Socket& socket, const wire::IcmpError& error);

  // --- transmit.cc ---
  /// Pieces that the payload of one packet may lie in.
  static constexpr std::size_t kMostPieces = 20;
  /// The headers of a packet whose sink holds on to it, and the chunks that its payload lies in.
  struct Loan {
    std::array<std::byte, 100> header;
    std::array<Chunk*, kMostPieces> chunks;
    std::uint32_t count = 0;
  };
  /// The IP header of a segment with these options; on a path that is `locked` (see PathMtu).
  wire::IpHeader HeaderFor(const Tuple& tuple, const SocketOptions& own, bool locked);
  std::size_t Transmit(Time now, PacketSink& sink, std::size_t budget);
  std::size_t TransmitReplies(PacketSink& sink, std::size_t budget, unsigned& busy);
  std::size_t TransmitLink(Time now, PacketSink& sink, LinkId link, std::size_t budget);
  /// Points `slices` at the plan's payload and returns how many they are.
  std::size_t GatherPayload(Socket& socket, tcp::Plan& plan, Chunk** chunks);
  /// What goes next: one segment, or as many as a link takes in one packet, or, if it does not cut
  /// them itself, `packets` at most.
  static tcp::Plan NextPlan(const Context& cx, const Socket& socket, SinkCapabilities can,
                            std::size_t packets);
  std::size_t TransmitNext(Context& cx, PacketSink& sink, Socket& socket, SinkCapabilities can,
                           std::size_t packets, bool& busy);
  std::uint32_t SendWhole(Context& cx, PacketSink& sink, Socket& socket, SinkCapabilities can,
                          tcp::Plan plan);
  std::uint32_t SendCut(Context& cx, PacketSink& sink, Socket& socket, SinkCapabilities can,
                        tcp::Plan plan, bool& busy);
  void RecordSent(const Context& cx, const Socket& socket, const tcp::Plan& plan,
                  const wire::Segment& segment);
  void TransmitComplete(std::uint64_t token);
  /// Delivers packets from ourselves to ourselves; returns how many.
  std::size_t DeliverLooped(Time now, std::size_t budget);
  /// Queues a segment that is not from a TCB's own queue.
  void Reply(Time now, LinkId link, const Tuple& tuple, ConnectionNumber number,
             const wire::Segment& segment, std::uint8_t tos, std::uint8_t ttl);
  void Reply(Time now, LinkId link, const Tuple& tuple, ConnectionNumber number,
             const wire::Segment& segment, const wire::IpHeader& header);
  /// The same with TOS and TTL as `options` has them; with DF, for it is small.
  void Reply(Time now, LinkId link, const Tuple& tuple, ConnectionNumber number,
             const wire::Segment& segment, const SocketOptions& options);
  /// Answers `segment` with the reset that RFC 9293 §3.10.7.1 prescribes.
  void ReplyReset(Time now, LinkId link, const Tuple& tuple, const wire::Segment& segment);
  bool Offer(PacketSink& sink, const Socket& socket, TxPacket& packet, Loan& loan,
             std::uint32_t slot);
  void NoteOffered(const Socket& socket, const TxPacket& packet, SinkResult result, Loan& loan,
                   std::uint32_t slot);
  SinkResult LoopBack(const TxPacket& packet);
  /// Queues a finished packet; one that is longer than the path's MTU goes in fragments.
  void QueuePacket(Time now, LinkId link, bool local, std::span<const std::byte> packet);
  std::uint32_t NextIdentification(std::span<const std::byte> addresses);
  bool QueueFragments(LinkId link, std::uint32_t mtu, std::span<const std::byte> packet);

  // --- references.cc: bytes that are not copied ---
  Result<std::size_t> Borrow(Context& cx, Socket& socket, std::span<BorrowedBytes> out);
  bool GiveBack(Time now, std::uint64_t loan);

  // --- deadlines.cc ---
  Time NextDeadline();
  std::size_t Advance(Time now, std::size_t budget);
  /// Files the socket's timer no later than its earliest deadline.
  void RefileTimer(Socket& socket);
  bool FileFine(Socket& socket);
  Time NextFineDeadline();
  Time NextCoarseDeadline();
  Time CoarseDeadline(const Socket& socket) const;
  void FireSocket(Time now, Socket& socket);
  template <class Record>
  Ref RefOf(const Record& record) const;

  // --- opening.cc, calls.cc: the user ---
  Result<void> Bind(Socket& socket, const Endpoint& local);
  Result<void> BindTo(Socket& socket, const Endpoint& local, bool listening);
  bool PortConflicts(const stack::Binding& wanted, std::uint32_t except) const;
  Result<std::uint16_t> ChooseBindPort(stack::Binding wanted);
  /// The ports to choose from for a socket with these options.
  struct PortRange {
    std::uint32_t first;
    std::uint32_t count;
  };
  PortRange PortsFor(const SocketOptions& options) const;
  Result<void> Listen(Time now, Socket& socket, int backlog);
  Result<void> Connect(Time now, Socket& socket, const Endpoint& remote);
  /// All of it but the first transmission; {} if it has begun.
  Result<void> BeginConnect(Context& cx, Socket& socket, const Endpoint& remote);
  Result<void> CheckConnect(Socket& socket, const Endpoint& remote) const;
  /// A four-tuple for a connection that begins, and what is known of it.
  struct Place {
    Tuple tuple;
    std::uint32_t hash = 0;
    bool loopback = false;
    std::optional<SndSeq> iss;  // beyond what a TIME_WAIT record had, which made way
  };
  Result<void> ChoosePlace(Context& cx, const Socket& socket, Place& place);
  bool LooksTaken(const Tuple& tuple) const;
  bool TakePlace(Context& cx, bool bound, Place& place);
  void ForgetAttempt(Socket& socket);
  Result<SocketId> Accept(Time now, Socket& socket);
  void Close(Time now, Socket& socket);
  Result<void> SetOptions(Time now, Socket& socket, const SocketOptions& options);
  // --- listing.cc: what can be asked of what lives ---
  ConnectionInfo Info(Time now, const Socket& socket) const;
  ConnectionInfo Info(Time now, const HalfOpenRecord& record) const;
  ConnectionInfo InfoOfTimeWait(Time now, Ref ref, const Tuple& tuple) const;
  Result<ConnectionInfo> Info(Time now, const Tuple& tuple) const;
  std::size_t List(Time now, ListCursor& cursor, std::span<ConnectionInfo> out) const;
  State StateOf(const Socket& socket) const;

  /// A piece of what has arrived, in the user's hands.
  struct Borrowed {
    Chunk* chunk;
    std::uint32_t size;
    SocketId socket;
    ConnectionNumber number;
  };

  // Memory first: everything below comes from it.
  Memory memory;
  Allocator* allocator;
  tcp::Settings settings;
  std::array<bool, stack::kMostSettings> set_by_name{};  // a profile leaves these alone
  tcp::Buffers buffers;
  tcp::Recorder recorder;
  tcp::ChallengeBudget challenges;
  stack::OptionsTable options;
  Slab<Socket, 64, LiveGenerations> sockets;
  Slab<HalfOpenRecord> half_open;
  Slab<stack::TimeWait4> time_wait4;
  Slab<stack::TimeWait6> time_wait6;
  Slab<Listener, 16, LiveGenerations> listeners;
  Slab<stack::ListenerGroup, 4> groups;
  Slab<Loan, 16> loans;
  Slab<Borrowed, 64, LiveGenerations> borrowed;
  HashIndex index;
  mutable stack::TupleHasher hasher{kTcp};
  stack::PortTable ports;
  stack::Network network;
  stack::FastOpenCache fast_open_cache;
  stack::PathCache paths;
  stack::FastOpenKeys fast_open_keys;
  bool fast_open_key_given = false;  // by name, and not from the seed
  stack::ReplyQueue replies;
  stack::ReplyQueue looped;
  stack::TimerWheel wheel;
  stack::FineHeap fine;
  stack::FragmentTable fragments4;
  stack::FragmentTable fragments6;
  stack::IcmpLimiter icmp_limiter;
  IntrusiveList<Socket, stack::QueueTag> ready;
  /// The last segment that came over a link for a connection in the table.
  struct {
    wire::LastSegment segment;
    Socket* socket = nullptr;
    LinkId link = 0;
    bool row = false;  // its verdict's
  } recent;
  Socket* arrived = nullptr;  // segments have come to it, and it is not settled yet
  StackCounters counters;
  StackKeys keys;
  Shard shard;
  std::uint64_t memory_limit = 0;  // of the whole group
  ConnectionNumber last_number = 0;
  std::uint64_t port_draws = 0;
  std::uint32_t datagrams_fragmented = 0;  // or that routers may fragment
  std::uint32_t fin_wait2_records = 0;     // sockets that count like TIME_WAIT records
  bool started = false;  // a packet has passed: what holds from the start is fixed
  bool destroy_silently = false;
  std::array<char, 64> seed_text{};
  std::array<Slice, kMostPieces> slices;  // of the segment that is being sent
};

}  // namespace estab
