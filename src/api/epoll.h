// What an epoll handle stands for: a set of watched handles, and the list of those that may be
// ready.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>

#include "base/intrusive_list.h"

struct epoll_event;

namespace estab::api {

struct OpenFile;
class Epoll;
struct EpollReadyTag;

/// One watched handle. Known to its epoll by (file, handle), to the file by OpenFile::watchers.
struct EpollItem final : ListNode<EpollReadyTag> {
  Epoll* epoll = nullptr;
  OpenFile* file = nullptr;
  int handle = -1;
  std::uint32_t events = 0;  // EPOLL* bits; without its event bits: disabled by EPOLLONESHOT
  std::uint64_t data = 0;
};

/// Tells what poll would say of a file now, as POLL* bits.
class FilePoller {
 public:
  virtual std::uint32_t PollBits(OpenFile& file) = 0;

 protected:
  ~FilePoller() = default;
};

/// One epoll instance, with Linux's rules (fs/eventpoll.c): a file that becomes ready puts its
/// items on the list; waiting looks at that list only, so that it costs the same however many
/// handles are watched. Not thread-safe: the driver's lock protects it.
class Epoll {
 public:
  /// `own` is the open file that this epoll is behind.
  Epoll(OpenFile& own, FilePoller& poller) : own_(own), poller_(poller) {}
  ~Epoll();
  Epoll(const Epoll&) = delete;
  Epoll& operator=(const Epoll&) = delete;

  /// epoll_ctl: 0 or an errno. `event` may be NULL for EPOLL_CTL_DEL.
  int Control(int operation, OpenFile& file, int handle, const epoll_event* event);
  /// Writes up to `events.size()` events; returns how many. What is level-triggered stays on the
  /// list, behind the others.
  std::size_t Collect(std::span<epoll_event> events);
  /// Whether Collect would find something; drops from the list what is not ready any more.
  bool Ready();

  /// Calls waiting in epoll_wait: EPOLLEXCLUSIVE goes to one that has some.
  void BeginWait() { ++waiting_; }
  void EndWait() { --waiting_; }

  /// Puts `file`'s items on their lists. `raised`: the POLL* bits that are new; 0: all, its state
  /// has changed. Goes on to epolls that watch an epoll.
  static void Wake(OpenFile& file, std::uint32_t raised);
  /// `file` is going: nobody watches it any more.
  static void Forget(OpenFile& file);

 private:
  struct Key {
    OpenFile* file;
    int handle;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<OpenFile*>()(key.file) * 31 + static_cast<std::size_t>(key.handle);
    }
  };

  int Add(OpenFile& file, int handle, const epoll_event& event);
  int Modify(EpollItem& item, const epoll_event& event);
  int CheckNesting(const OpenFile& file) const;
  void Remove(EpollItem& item);
  void Queue(EpollItem& item);
  std::uint32_t BitsOf(EpollItem& item);

  OpenFile& own_;
  FilePoller& poller_;
  std::unordered_map<Key, std::unique_ptr<EpollItem>, KeyHash> items_;
  IntrusiveList<EpollItem, EpollReadyTag> ready_;
  std::size_t queued_ = 0;  // on ready_
  unsigned waiting_ = 0;
};

}  // namespace estab::api
