// Several listeners on one address and port (SO_REUSEPORT): each SYN goes to one of them, by the
// keyed hash of its four-tuple.
#include "stack/engine.h"

namespace estab {

bool Stack::Impl::Enlist(Socket& socket) {
  const Tuple key = ListenerTuple(socket.tuple.local);
  const Ref first = Lookup(key);
  if (!first.found()) return index.Insert(Hash(key), Ref(Owner::kSocket, socket.self).raw);
  const std::uint32_t other = sockets[first.slot()].listener;
  if (listeners[other].group == kNoSlot) {
    const std::uint32_t slot = groups.Create();
    if (slot == kNoSlot) return false;
    groups[slot].members[0] = other;
    groups[slot].count = 1;
    listeners[other].group = slot;
  }
  stack::ListenerGroup& group = groups[listeners[other].group];
  if (group.count == stack::ListenerGroup::kMost) return false;
  Listener& listener = listeners[socket.listener];
  listener.group = listeners[other].group;
  listener.place = group.count;
  group.members[group.count++] = socket.listener;
  return true;
}

void Stack::Impl::Delist(Socket& socket) {
  const Listener& listener = listeners[socket.listener];
  const Tuple key = ListenerTuple(socket.tuple.local);
  const Ref own(Owner::kSocket, socket.self);
  if (listener.group == kNoSlot) {
    index.Erase(Hash(key), own.raw);
    return;
  }
  stack::ListenerGroup& group = groups[listener.group];
  const std::uint32_t moved = group.members[--group.count];  // the last one takes the place
  group.members[listener.place] = moved;
  listeners[moved].place = listener.place;
  const Listener& stays = listeners[group.members[0]];
  if (Lookup(key).raw == own.raw) {
    index.Replace(Hash(key), own.raw, Ref(Owner::kSocket, stays.socket).raw);
  }
  if (group.count > 1) return;
  listeners[group.members[0]].group = kNoSlot;
  groups.Destroy(listener.group);
}

}  // namespace estab
