// The transmission control block: what one connection remembers (RFC 9293 §3.3.1).
#pragma once

#include <array>
#include <cstdint>

#include "base/seq.h"
#include "base/slab.h"
#include "estab/address.h"
#include "estab/error.h"
#include "estab/observer.h"
#include "estab/options.h"
#include "estab/packet.h"
#include "estab/rule.h"
#include "estab/time.h"

namespace estab::tcp {

/// Segments that may overtake one on any path before it counts as lost (RFC 5681 §3.2).
constexpr std::uint8_t kUsualReordering = 3;

/// Milliseconds modulo 2^32: for "how long ago", where 49 days are long enough.
using Stamp = std::uint32_t;
inline Stamp StampOf(Time t) {
  return static_cast<Stamp>(t.time_since_epoch().count() / 1'000'000);
}

/// Where loss recovery stands, in Linux's order (tcpi_ca_state).
enum class Recovery : std::uint8_t {
  kOpen,      // nothing is known to be lost
  kDisorder,  // something is SACKed, or duplicates have come
  kReduced,   // the window comes down after a mark of congestion, or a loss that a probe repaired
  kFast,      // a loss is repaired: until SND.NXT as of then is acknowledged
  kLoss,      // the retransmission timer ran out; likewise
};

/// Fast Open (RFC 7413), as far as this connection has come with it.
enum class FastOpen : std::uint8_t {
  kNone,
  kDeferred,  // SYN_SENT, but the SYN waits for the first data (TCP_FASTOPEN_CONNECT)
  kAsking,    // our SYN carries the option and no data
  kData,      // our SYN carries data
  kAccepted,  // data on the SYN was accepted, by the peer or by us
};

/// What a connection owes the wire or the table, collected while an event is processed. The stack
/// settles it afterwards, so that nothing calls back and no state hides in the sending path.
struct Pending {
  bool syn : 1 = false;    // a SYN, or in SYN_RCVD a SYN|ACK
  bool head : 1 = false;   // all that is outstanding, again (a FIN that no memory was left for)
  bool tail : 1 = false;   // a tail loss probe: new data, or the last segment again
  bool probe : 1 = false;  // an empty segment with SEQ = SND.UNA - 1
  bool force : 1 = false;  // what fits the window, however little (the persist timer's override)
  bool reset : 1 = false;  // R. seq=SND.NXT; the state is CLOSED already
  bool news : 1 = false;   // something to read has come that the user has not been told of

  /// Whether any of it is something to send.
  bool to_send() const { return syn || head || tail || probe || force; }
};

struct Tcb {
  // --- Who ---
  Tuple tuple;
  LinkId link = 0;
  State state = State::kClosed;
  std::uint8_t pending_error = 0;  // Error; told to the user once
  ConnectionNumber number = 0;

  // --- Facts ---
  bool passive : 1 = false;          // came from LISTEN
  bool timestamps : 1 = false;       // agreed by both SYNs (while opening: offered)
  bool window_scaling : 1 = false;   // likewise
  bool sack : 1 = false;             // likewise
  bool syn_acked : 1 = false;        // the peer has acknowledged our SYN
  bool fin_queued : 1 = false;       // the user has closed the sending side
  bool fin_acked : 1 = false;        // and the peer has acknowledged our FIN
  bool fin_received : 1 = false;     // the peer's FIN is processed: rcv.nxt lies beyond it
  bool read_shut : 1 = false;        // SHUT_RD, or the handle is gone
  bool orphan : 1 = false;           // close() was called: no handle any more
  bool syn_repeated : 1 = false;     // our SYN went out more than once
  bool interactive : 1 = false;      // we answer data with data: ACKs can wait for a ride
  bool more : 1 = false;             // the last send said that more would follow (MSG_MORE)
  bool persisting : 1 = false;       // the retransmission deadline stands for a window probe
  bool reordering_seen : 1 = false;  // segments of ours have overtaken each other
  bool record : 1 = false;           // an orphan in FIN_WAIT_2 that the policy treats as a record
  Pending pending;
  std::uint8_t soft_error = 0;  // Error that ICMP told; replaces a time-out's
  Recovery recovery : 3 = Recovery::kOpen;
  bool probes_wait : 1 = false;  // a tail loss probe came before the peer's delayed ACK
  FastOpen fast_open : 3 = FastOpen::kNone;
  bool cwr_owed : 1 = false;            // ECN: the window was reduced: CWR on the next new data
  std::uint8_t receive_growth : 5 = 0;  // how often the receive buffer has doubled by itself
  // Congestion notification (RFC 3168).
  bool ecn : 1 = false;       // agreed by both SYNs (while opening: asked for)
  bool ecn_seen : 1 = false;  // data has come that may be marked on its way, or is
  bool ecn_echo : 1 = false;  // a mark has come: ECE on all we send until the peer's CWR
  // Segments that may overtake one before it counts as lost.
  std::uint8_t reordering = kUsualReordering;
  std::uint8_t keepalive_probes = 0;  // unanswered

  // --- Our direction: SND.*, 32-bit windows, scaled ---
  struct {
    SndSeq una;    // oldest unacknowledged; until our SYN is, that is ISS
    SndSeq nxt;    // next to send
    SndSeq wl2;    // acknowledgment of the last window update
    SndSeq small;  // end of the last segment sent below full size (Nagle by Minshall)
    RcvSeq wl1;    // sequence number of the last window update
    std::uint32_t wnd = 0;
    std::uint32_t max_wnd = 0;
  } snd;

  // --- The peer's direction: RCV.* ---
  struct {
    RcvSeq nxt;  // next expected
    RcvSeq adv;  // right edge that we have announced; it never moves left
    RcvSeq irs;
    RcvSeq last_ack;  // what our last segment acknowledged (Last.ACK.sent of RFC 7323)
    RcvSeq round;     // what the user had read when rtt.read_round began
  } rcv;

  // --- Timestamps (RFC 7323) ---
  struct {
    std::uint32_t recent = 0;  // TS.Recent
    Stamp recent_at = 0;
    std::uint32_t offset = 0;  // our clock's random start
  } ts;

  // --- Sizes ---
  std::uint16_t send_mss = 536;     // payload of a full segment, options taken off
  std::uint16_t peer_mss = 0;       // as announced, or assumed
  std::uint16_t announced_mss = 0;  // ours
  std::uint16_t mtu_most = 0;       // largest packet that the peer takes, and the path as is known
  std::uint16_t mtu_shown = 0;      // the same as probes have shown (RFC 4821); 0: no probing
  std::uint16_t typical_in = 536;   // largest payload seen from the peer
  std::uint8_t send_scale : 4 = 0;
  std::uint8_t receive_scale : 4 = 0;
  std::uint8_t search_began = 0;  // minutes modulo 256: this round of probing for the MTU

  // --- Rates (delivery.h, pacing.h), and whose they are ---
  /// The congestion control in use (congestion.h: Control); kBySetting: not decided yet.
  Congestion congestion : 3 = Congestion::kBySetting;
  bool paced : 1 = false;         // data leaves at a rate, not as fast as the window lets it
  bool rate_limited : 1 = false;  // delivery_rate says what the user gave, not what the path takes
  bool modelled : 1 = false;      // congestion_state[0] is the slot of a model (Buffers::models)

  // --- Acknowledging ---
  std::uint8_t acks_owed = 0;     // empty ACKs to send at once, one each
  std::uint8_t quick_acks = 0;    // how many more ACKs go out without delay
  std::uint8_t ack_delay_ms = 0;  // at most 200
  /// When the congestion window was last in use (window_use.h), in units of 4 ms.
  std::uint16_t window_adapted_at = 0;
  Stamp last_data_at = 0;  // when data last arrived

  // --- Round-trip time (RFC 6298); microseconds ---
  struct {
    std::uint32_t srtt8 = 0;    // SRTT times 8; 0: no sample yet
    std::uint32_t mdev4 = 0;    // mean deviation times 4: RTTVAR of RFC 6298
    std::uint32_t rttvar4 = 0;  // what the RTO adds to SRTT, the least RTO included
    std::uint32_t rto = 0;      // without back-off
    // The least; before there is a sample, 1 + when our SYN went out, if that is being measured.
    std::uint32_t min = 0;
    std::uint8_t backoff = 0;      // doublings of rto
    std::uint8_t repeats = 0;      // time-outs, or unanswered probes, in this series
    std::uint16_t read_round = 0;  // a round trip of the user's reading began then; ms modulo 2^16
  } rtt;

  // --- Congestion control ---
  std::uint32_t cwnd = 0;
  std::uint32_t ssthresh = 0;
  std::array<std::uint32_t, 3> congestion_state{};
  SndSeq recover;                   // SND.NXT when recovery began (RFC 6582, RFC 6675)
  std::uint32_t delivery_rate = 0;  // as last measured, in kRateUnit bytes a second
  std::uint32_t delivered = 0;      // segments that are known to have arrived, SYN and repeats too

  // --- Deadlines; kNever when unset. One node in the wheel serves the earliest. ---
  Time retransmit_at = kNever;  // SYN, data, FIN; or, with `persisting`, the next window probe
  Time delayed_ack_at = kNever;
  Time idle_at = kNever;     // keepalive, or an orphan's FIN_WAIT_2
  Time fine_at = kNever;     // the earliest of LossState's deadlines, exact to the nanosecond
  Stamp series_began = 0;    // first transmission of what is unacknowledged or unprobed
  Stamp last_heard = 0;      // anything acceptable from the peer
  Stamp last_sent = 0;       // data
  Stamp last_challenge = 0;  // last rate-limited answer; 0: none

  // --- Attached only while in use: slots of Buffers ---
  std::uint32_t send_buffer = kNoSlot;
  std::uint32_t receive_buffer = kNoSlot;
  std::uint32_t reassembly = kNoSlot;

  // --- Counts ---
  std::uint32_t segments_in = 0;
  std::uint32_t segments_out = 0;
  std::uint32_t segments_repeated = 0;
  std::uint64_t bytes_acked = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;

  const SocketOptions* options = nullptr;  // never null in a live connection
  std::uint32_t segments_marked = 0;       // of ours, delivered by ACKs with ECE
};

constexpr StateSet kSynchronized = In(State::kEstablished) | In(State::kFinWait1) |
                                   In(State::kFinWait2) | In(State::kCloseWait) |
                                   In(State::kClosing) | In(State::kLastAck) | In(State::kTimeWait);
constexpr bool IsIn(State state, StateSet set) { return (In(state) & set) != 0; }

/// States in which our user may still queue data.
constexpr StateSet kMaySend = In(State::kEstablished) | In(State::kCloseWait);
/// States in which the peer's data is taken.
constexpr StateSet kMayReceive =
    In(State::kEstablished) | In(State::kFinWait1) | In(State::kFinWait2);

inline void SetError(Tcb& tcb, Error error) {
  tcb.pending_error = static_cast<std::uint8_t>(error);
}

}  // namespace estab::tcp
