// NextDeadline and Advance: the wheel's part of the four verbs.
#include <algorithm>

#include "stack/engine.h"
#include "tcp/timers.h"

namespace estab {

// A later deadline stays filed where it was, and so does one that is none any more: that is seen
// to when the time comes. Data that is acknowledged in time costs the wheel nothing.
void Stack::Impl::RefileTimer(Socket& socket) {
  Time deadline = tcp::EarliestCoarseDeadline(socket);
  const stack::FineNode& node = socket;
  const bool fine_deadline = socket.fine_at != kNever || node.filed();
  if (fine_deadline && !FileFine(socket)) deadline = std::min(deadline, socket.fine_at);
  if (deadline == kNever) return;
  if (!socket.armed() || deadline < stack::TimerWheel::DeadlineOf(socket)) {
    wheel.Arm(socket, deadline);
  }
}

// False if there is no memory for it: then a tick has to be exact enough.
bool Stack::Impl::FileFine(Socket& socket) {
  stack::FineNode& node = socket;
  if (socket.fine_at == kNever) {
    fine.Cancel(node);
    return true;
  }
  if (node.filed() && fine.DeadlineOf(node) <= socket.fine_at) return true;
  return fine.Arm(node, socket.fine_at);
}

Time Stack::Impl::NextFineDeadline() {
  while (!fine.empty()) {
    stack::FineNode& node = fine.First();
    const Time truth = static_cast<Socket&>(node).fine_at;
    if (truth <= fine.FirstDeadline()) break;
    fine.Arm(node, truth);
  }
  return fine.FirstDeadline();
}

// A socket's node may be filed earlier than its deadline. Before anybody is told a time, the front
// node is refiled until it tells the truth.
Time Stack::Impl::NextDeadline() { return std::min(NextFineDeadline(), NextCoarseDeadline()); }

Time Stack::Impl::NextCoarseDeadline() {
  for (;;) {
    stack::TimerNode* node = wheel.First();
    if (node == nullptr) return kNever;
    if (static_cast<Owner>(node->kind) != Owner::kSocket) break;
    Socket& socket = *static_cast<Socket*>(node);
    const Time deadline = CoarseDeadline(socket);
    const Time filed = stack::TimerWheel::DeadlineOf(socket);
    if (deadline <= filed) break;
    if (deadline == kNever) {
      wheel.Cancel(socket);
      continue;
    }
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
    const Time fine_deadline = NextFineDeadline();
    if (fine_deadline <= now && fine_deadline <= wheel.Earliest()) {
      FireSocket(now, static_cast<Socket&>(fine.First()));
      ++fired;
      continue;
    }
    stack::TimerNode* node = wheel.PopDue(now);
    if (node == nullptr) break;
    Context cx = MakeContext(now);
    switch (static_cast<Owner>(node->kind)) {
      case Owner::kSocket: {
        Socket& socket = *static_cast<Socket*>(node);
        if (CoarseDeadline(socket) > now) {
          RefileTimer(socket);
          continue;
        }
        FireSocket(now, socket);
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

void Stack::Impl::FireSocket(Time now, Socket& socket) {
  Context cx = MakeContext(now);
  tcp::OnDeadline(cx, socket);
  Settle(cx, socket);
}

// What the wheel has to know of: fine deadlines only if they are not in the heap.
Time Stack::Impl::CoarseDeadline(const Socket& socket) const {
  const stack::FineNode& node = socket;
  return node.filed() ? tcp::EarliestCoarseDeadline(socket) : tcp::EarliestDeadline(socket);
}

template <class Record>
Stack::Impl::Ref Stack::Impl::RefOf(const Record& record) const {
  return Lookup(record.tuple());
}

}  // namespace estab
