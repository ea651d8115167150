#include "api/epoll.h"

#include <errno.h>
#include <sys/epoll.h>

#include <algorithm>
#include <ranges>

#include "api/open_file.h"

namespace estab::api {
namespace {

constexpr std::uint32_t kAlways = EPOLLERR | EPOLLHUP;
// What is about the item rather than about events; all that EPOLLONESHOT leaves.
constexpr std::uint32_t kPrivate = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;
constexpr std::uint32_t kExclusiveMayHave =
    EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
constexpr int kMaxNesting = 4;  // EP_MAX_NESTS

}  // namespace

Epoll::~Epoll() {
  while (!items_.empty()) Remove(*items_.begin()->second);
}

void Epoll::Remove(EpollItem& item) {
  if (item.linked()) {
    IntrusiveList<EpollItem, EpollReadyTag>::Remove(item);
    --queued_;
  }
  std::erase(item.file->watchers, &item);
  items_.erase(Key{item.file, item.handle});
}

void Epoll::Queue(EpollItem& item) {
  if (item.linked()) return;
  ready_.PushBack(item);
  ++queued_;
}

std::uint32_t Epoll::BitsOf(EpollItem& item) {
  return poller_.PollBits(*item.file) & item.events & ~kPrivate;
}

// As Linux: no epoll may watch itself by way of others, and no more than five may be stacked.
int Epoll::CheckNesting(const OpenFile& file) const {
  if (file.epoll == nullptr) return 0;
  struct Walk {
    const Epoll* target;
    int Below(const Epoll& epoll, int depth) const {  // the depth below, -1: the target is there
      if (&epoll == target || depth > kMaxNesting) return -1;
      int deepest = 0;
      for (const auto& [key, item] : epoll.items_) {
        if (item->file->epoll == nullptr) continue;
        const int below = Below(*item->file->epoll, depth + 1);
        if (below < 0) return -1;
        deepest = std::max(deepest, below + 1);
      }
      return deepest;
    }
    int Above(const OpenFile& own, int depth) const {
      int highest = 0;
      if (depth > kMaxNesting) return highest;
      for (const EpollItem* watcher : own.watchers) {
        highest = std::max(highest, Above(watcher->epoll->own_, depth + 1) + 1);
      }
      return highest;
    }
  };
  const Walk walk{this};
  const int below = walk.Below(*file.epoll, 0);
  if (below < 0 || below + 1 + walk.Above(own_, 0) > kMaxNesting) return ELOOP;
  return 0;
}

int Epoll::Add(OpenFile& file, int handle, const epoll_event& event) {
  auto owned = std::make_unique<EpollItem>();
  EpollItem& item = *owned;
  item.epoll = this;
  item.file = &file;
  item.handle = handle;
  file.watchers.reserve(file.watchers.size() + 1);
  items_.emplace(Key{&file, handle}, std::move(owned));
  file.watchers.push_back(&item);
  return Modify(item, event);
}

int Epoll::Modify(EpollItem& item, const epoll_event& event) {
  item.events = event.events | kAlways;
  item.data = event.data.u64;
  if (BitsOf(item) == 0) return 0;
  Queue(item);
  Wake(own_, EPOLLIN);
  return 0;
}

int Epoll::Control(int operation, OpenFile& file, int handle, const epoll_event* event) {
  const bool has_event = operation != EPOLL_CTL_DEL;
  if (&file == &own_) return EINVAL;
  if (has_event && (event->events & EPOLLEXCLUSIVE) != 0) {
    if (operation == EPOLL_CTL_MOD) return EINVAL;
    const bool allowed = file.epoll == nullptr && (event->events & ~kExclusiveMayHave) == 0;
    if (operation == EPOLL_CTL_ADD && !allowed) return EINVAL;
  }
  if (operation == EPOLL_CTL_ADD) {
    if (const int error = CheckNesting(file)) return error;
  }
  const auto found = items_.find(Key{&file, handle});
  switch (operation) {
    case EPOLL_CTL_ADD:
      return found != items_.end() ? EEXIST : Add(file, handle, *event);
    case EPOLL_CTL_DEL:
      if (found == items_.end()) return ENOENT;
      Remove(*found->second);
      return 0;
    case EPOLL_CTL_MOD:
      if (found == items_.end()) return ENOENT;
      if ((found->second->events & EPOLLEXCLUSIVE) != 0) return EINVAL;
      return Modify(*found->second, *event);
    default:
      return EINVAL;
  }
}

std::size_t Epoll::Collect(std::span<epoll_event> events) {
  std::size_t n = 0;
  for (std::size_t left = queued_; left != 0 && n < events.size(); --left) {
    EpollItem& item = *ready_.PopFront();
    --queued_;
    const std::uint32_t bits = BitsOf(item);
    if (bits == 0) continue;
    events[n].events = bits;
    events[n].data.u64 = item.data;
    ++n;
    if ((item.events & EPOLLONESHOT) != 0) {
      item.events &= kPrivate;
    } else if ((item.events & EPOLLET) == 0) {
      Queue(item);
    }
  }
  return n;
}

bool Epoll::Ready() {
  while (EpollItem* item = ready_.front()) {
    if (BitsOf(*item) != 0) return true;
    ready_.PopFront();
    --queued_;
  }
  return false;
}

// As Linux: everybody who watches is told, the youngest first; of those who watch exclusively only
// as many as it takes to find one that is waiting.
void Epoll::Wake(OpenFile& file, std::uint32_t raised) {
  const auto tell = [raised](EpollItem& item) {
    const bool wanted = (item.events & ~kPrivate) != 0;  // else EPOLLONESHOT has disabled it
    if (!wanted || (raised != 0 && (raised & item.events) == 0)) return false;
    item.epoll->Queue(item);
    Wake(item.epoll->own_, EPOLLIN);
    return item.epoll->waiting_ != 0;
  };
  for (EpollItem* item : std::views::reverse(file.watchers)) {
    if ((item->events & EPOLLEXCLUSIVE) == 0) tell(*item);
  }
  for (EpollItem* item : file.watchers) {
    if ((item->events & EPOLLEXCLUSIVE) != 0 && tell(*item)) break;
  }
}

void Epoll::Forget(OpenFile& file) {
  while (!file.watchers.empty()) {
    EpollItem* item = file.watchers.back();
    item->epoll->Remove(*item);
  }
}

}  // namespace estab::api
