// Several listeners on one address and port (SO_REUSEPORT): each SYN goes to one of them, by the
// keyed hash of its four-tuple.
#include <algorithm>

#include "stack/engine.h"

namespace estab {

namespace stack {

ListenerGroup::~ListenerGroup() {
  if (members_ != nullptr) memory_->Free(members_, room_ * sizeof(*members_));
}

bool ListenerGroup::Add(std::uint32_t listener) {
  if (count_ == room_) {
    const std::uint32_t room = room_ == 0 ? kFirst : room_ * 2;
    void* memory = memory_->Allocate(room * sizeof(*members_), alignof(std::uint32_t));
    if (memory == nullptr) return false;
    auto* members = static_cast<std::uint32_t*>(memory);
    std::copy_n(members_, count_, members);
    if (members_ != nullptr) memory_->Free(members_, room_ * sizeof(*members_));
    members_ = members;
    room_ = room;
  }
  members_[count_++] = listener;
  return true;
}

std::uint32_t ListenerGroup::Remove(std::uint32_t place) {
  const std::uint32_t moved = members_[--count_];
  members_[place] = moved;
  return moved;
}

}  // namespace stack

bool Stack::Impl::Enlist(Socket& socket) {
  const Tuple key = ListenerTuple(socket.tuple.local);
  const Ref first = Lookup(key);
  if (!first.found()) return index.Insert(Hash(key), Ref(Owner::kSocket, socket.self).raw);
  const std::uint32_t other = sockets[first.slot()].listener;
  if (listeners[other].group == kNoSlot) {
    const std::uint32_t slot = groups.Create(memory);
    if (slot == kNoSlot) return false;
    if (!groups[slot].Add(other)) {
      groups.Destroy(slot);
      return false;
    }
    listeners[other].group = slot;
  }
  stack::ListenerGroup& group = groups[listeners[other].group];
  if (!group.Add(socket.listener)) return false;
  Listener& listener = listeners[socket.listener];
  listener.group = listeners[other].group;
  listener.place = group.count() - 1;
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
  const std::uint32_t moved = group.Remove(listener.place);
  listeners[moved].place = listener.place;
  const Listener& stays = listeners[group[0]];
  if (Lookup(key).raw == own.raw) {
    index.Replace(Hash(key), own.raw, Ref(Owner::kSocket, stays.socket).raw);
  }
  if (group.count() > 1) return;
  listeners[group[0]].group = kNoSlot;
  groups.Destroy(listener.group);
}

}  // namespace estab
