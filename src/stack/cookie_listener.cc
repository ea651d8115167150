// A listener whose SYN queue is full: it answers without remembering, and recognises the answer.
#include "stack/engine.h"
#include "stack/isn.h"
#include "stack/syn_cookie.h"
#include "tcp/arrive.h"

namespace estab {

void Stack::Impl::SendCookie(Context& cx, Listener& listener, tcp::HalfOpen& half,
                             const wire::Segment& syn) {
  if (!half.timestamps) {  // nothing would bring these back
    half.sack = half.window_scaling = half.ecn = false;
    half.receive_scale = half.send_scale = 0;
  }
  half.iss = SndSeq(stack::MakeSynCookie(keys.cookies, half.tuple, syn.seq, cx.now, half.peer_mss));
  const tcp::Stamp stamp = stack::PackOptions(cx.stamp(), half);
  const SocketOptions& o = OptionsOf(listener);
  listener.cookie_at = cx.now;
  ++counters.syn_cookies_sent;
  Reply(cx.now, half.link, half.tuple, 0, tcp::MakeSynAck(half, stamp), o);
}

// The half-open record that the ACK's cookie stands for; false if it stands for none.
bool Stack::Impl::RestoreFromCookie(Context& cx, const Listener& listener, const Tuple& tuple,
                                    LinkId link, const wire::Segment& ack, tcp::HalfOpen& half) {
  const auto mss = stack::CheckSynCookie(keys.cookies, tuple, ack.seq - 1, cx.now, ack.ack - 1);
  if (!mss) return false;
  DescribeHalfOpen(tuple, link, OriginsOf(tuple), SndSeq(ack.ack - 1), half);
  wire::Segment syn;  // as it must have been
  syn.seq = ack.seq - 1;
  syn.window = ack.window;
  if (ack.options.has_timestamp) {
    const std::uint32_t packed = ack.options.ts_echo - half.ts_offset;
    syn.options = stack::UnpackOptions(packed);
    if (stack::UnpackEcn(packed)) syn.flags = kSyn | kEce | kCwr;
    syn.options.ts_value = ack.options.ts_value;
  }
  syn.options.has_mss = true;
  syn.options.mss = *mss;
  tcp::TakeSyn(settings, OptionsOf(listener), PathTo(tuple.remote.address, link, cx.now).mtu, syn,
               half);
  half.peer_mss = *mss;
  half.repeated = true;  // nobody knows when the SYN|ACK went out
  // What was agreed on then must still be possible: the peer goes by it.
  return half.timestamps == syn.options.has_timestamp && half.sack == syn.options.sack_permitted &&
         half.window_scaling == syn.options.has_window_scale;
}

RuleId Stack::Impl::TakeCookie(Context& cx, Listener& listener, const Tuple& tuple, LinkId link,
                               const wire::Segment& segment) {
  const bool expected = settings.syncookies != 0 && listener.cookie_at != kNever &&
                        cx.now - listener.cookie_at <= stack::kCookieTime;
  if (!expected) return RuleId::kListenAck;
  tcp::HalfOpen half;
  if (!RestoreFromCookie(cx, listener, tuple, link, segment, half)) {
    ++counters.syn_cookies_failed;
    return RuleId::kListenBadCookie;
  }
  ++counters.syn_cookies_received;
  if (AcceptQueueFull(listener)) {
    ++counters.listen_overflows;
    return RuleId::kListenAcceptQueueFull;
  }
  half.number = NextNumber();
  Socket* socket = NewChild(cx, listener, half);
  if (socket != nullptr && !Attach(*socket, Hash(socket->tuple))) {
    Destroy(*socket);
    socket = nullptr;
  }
  if (socket == nullptr) {
    ++counters.out_of_memory;
    return RuleId::kListenNoMemory;
  }
  socket->syn_repeated = false;  // it was not, as far as anybody knows
  recorder.Fired(cx.now, half.number, tuple, State::kListen, State::kSynRcvd,
                 RuleId::kListenCookieAck, cx.cause);
  // The echo carries our notes and not the time: no round trip can be had from it.
  wire::Segment ack = segment;
  ack.options.ts_echo = 0;
  Enqueue(listener, *socket);
  tcp::Arrive(cx, *socket, ack);
  SettleChild(cx, listener, *socket);
  return RuleId::kListenCookieAck;
}

}  // namespace estab
