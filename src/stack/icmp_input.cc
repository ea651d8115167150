// ICMP messages that arrive: echo requests are answered, errors go to the connection they are
// about.
#include "stack/engine.h"
#include "tcp/icmp.h"

namespace estab {

void Stack::Impl::ReceiveIcmp(Time now, const wire::IpPacket& ip, const Arrival& arrival) {
  std::byte reply[wire::kIpv6HeaderSize + 65535];
  const auto ttl = static_cast<std::uint8_t>(settings.default_ttl);
  if (const auto size = wire::EchoReply(ip, reply, ttl, tcp::StampOf(now))) {
    QueuePacket(now, arrival.link, network.IsLocal(ip.source), {reply, *size});
    return;
  }
  const auto error = wire::DecodeIcmpError(ip);
  if (!error || error->protocol != static_cast<std::uint8_t>(wire::Protocol::kTcp)) {
    ++counters.not_for_us;
    return;
  }
  const Tuple tuple{{error->source, error->source_port},
                    {error->destination, error->destination_port}};
  const Ref ref = Lookup(tuple);
  if (!ref.found() && HandedOver(tuple, ip, arrival)) return;
  ArriveIcmpError(now, *error, tuple, ref);
}

void Stack::Impl::ArriveIcmpError(Time now, const wire::IcmpError& error, const Tuple& tuple,
                                  Ref ref) {
  ++counters.icmp_errors_in;
  Context cx = MakeContext(now);
  cx.cause.trigger = Trigger::kIcmp;
  cx.cause.icmp = static_cast<std::uint16_t>(error.type << 8 | error.code);
  const tcp::IcmpMeaning meaning = tcp::MeaningOf(error);
  const SndSeq seq(error.seq);
  if (ref.found() && ref.kind() == Owner::kSocket) {
    Socket& socket = sockets[ref.slot()];
    if (tcp::ArriveIcmp(cx, socket, seq, meaning)) TakePacketTooBig(cx, socket, error);
    return Settle(cx, socket);
  }
  if (ref.found() && ref.kind() == Owner::kHalfOpen) {
    HalfOpenRecord& record = half_open[ref.slot()];
    const RuleId rule = tcp::JudgeIcmpHalfOpen(settings.policy, record.state.iss, seq, meaning);
    FireHalfOpen(cx, record, rule);
    if (rule == RuleId::kIcmpHalfOpen) Forget(cx, record);
    return;
  }
  const State state = ref.found() ? State::kTimeWait : State::kClosed;
  recorder.Fired(now, NumberOf(ref), tuple, state, state, RuleId::kIcmpStray, cx.cause);
}

}  // namespace estab
