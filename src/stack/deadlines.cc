// NextDeadline and Advance: the wheel's part of the four verbs.
#include <algorithm>

#include "stack/engine.h"
#include "tcp/timers.h"

namespace estab {

void Stack::Impl::RefileTimer(Socket& socket) {
  const Time deadline = tcp::EarliestDeadline(socket);
  if (deadline == kNever) {
    wheel.Cancel(socket);
  } else if (!socket.armed() || deadline < stack::TimerWheel::DeadlineOf(socket)) {
    wheel.Arm(socket, deadline);  // later ones are refiled when the earlier deadline comes
  }
}

// A socket's node may be filed earlier than its deadline. Before anybody is told a time, the front
// node is refiled until it tells the truth.
Time Stack::Impl::NextDeadline() {
  for (;;) {
    stack::TimerNode* node = wheel.First();
    if (node == nullptr) return kNever;
    if (static_cast<Owner>(node->kind) != Owner::kSocket) break;
    Socket& socket = *static_cast<Socket*>(node);
    const Time deadline = tcp::EarliestDeadline(socket);
    const Time filed = stack::TimerWheel::DeadlineOf(socket);
    if (deadline <= filed) break;
    wheel.Arm(socket, deadline);
    // A deadline that has passed is filed at the tick it fell into: due at once, and no later.
    if (stack::TimerWheel::DeadlineOf(socket) <= filed) break;
  }
  return wheel.Earliest();
}

std::size_t Stack::Impl::Advance(Time now, std::size_t budget) {
  started = true;
  // NextDeadline rounds what has passed down to its tick: a driver that goes there goes back a
  // little. What was due then is due now.
  now = std::max(now, wheel.latest());
  std::size_t fired = 0;
  while (fired < budget) {
    stack::TimerNode* node = wheel.PopDue(now);
    if (node == nullptr) break;
    Context cx = MakeContext(now);
    switch (static_cast<Owner>(node->kind)) {
      case Owner::kSocket: {
        Socket& socket = *static_cast<Socket*>(node);
        if (tcp::EarliestDeadline(socket) > now) {
          RefileTimer(socket);
          continue;
        }
        tcp::OnDeadline(cx, socket);
        Settle(cx, socket);
        break;
      }
      case Owner::kHalfOpen:
        OnHalfOpenDeadline(cx, *static_cast<HalfOpenRecord*>(node));
        break;
      case Owner::kTimeWait4:
        OnTimeWaitDeadline(cx, RefOf(*static_cast<stack::TimeWait4*>(node)));
        break;
      case Owner::kTimeWait6:
        OnTimeWaitDeadline(cx, RefOf(*static_cast<stack::TimeWait6*>(node)));
        break;
      case Owner::kDatagram:
        OnDatagramDeadline(now, *static_cast<stack::Datagram*>(node));
        break;
    }
    ++fired;
  }
  return fired;
}

template <class Record>
Stack::Impl::Ref Stack::Impl::RefOf(const Record& record) const {
  return Lookup(record.tuple());
}

}  // namespace estab
