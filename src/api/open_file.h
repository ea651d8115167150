// Socket handles: small integers that name reference-counted open files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <queue>
#include <vector>

#include "api/epoll.h"
#include "api/send_notices.h"
#include "estab/address.h"
#include "estab/observer.h"
#include "estab/stack.h"
#include "estab/time.h"

namespace estab::api {

/// What a handle stands for. More kinds will come (datagram sockets).
enum class FileKind : std::uint8_t { kTcpSocket, kEpoll };

/// What a socket's calls have led to, whatever the connection does meanwhile (Linux: socket_state).
enum class SocketStage : std::uint8_t {
  kUnconnected,
  kConnecting,     // connect has begun, and its outcome has not been told by connect
  kConnected,      // connect or accept has said so
  kDisconnecting,  // shut down before the outcome was told: only AF_UNSPEC leads out
};

/// One open file: what all its handles (dup) share. Lives as long as a handle or a call uses it.
struct OpenFile {
  FileKind kind = FileKind::kTcpSocket;
  bool ipv6 = false;         // the family it was made with
  bool nonblocking = false;  // O_NONBLOCK
  SocketStage stage = SocketStage::kUnconnected;
  SocketId socket;
  Duration receive_timeout{};            // SO_RCVTIMEO; kNoTimeout: none
  Duration send_timeout{};               // SO_SNDTIMEO
  std::optional<Endpoint> bound;         // as bind asked for it
  ConnectionNumber past_connection = 0;  // the last connection before `socket`'s own
  bool report_queue = false;             // TCP_INQ
  bool zero_copy = false;                // SO_ZEROCOPY
  std::unique_ptr<SendNotices> notices;  // once something was sent by reference
  std::unique_ptr<Epoll> epoll;          // kEpoll
  std::vector<EpollItem*> watchers;      // epolls that watch this file
  unsigned references = 0;
};

/// "Waits for ever", as SO_RCVTIMEO and SO_SNDTIMEO are at first.
inline constexpr Duration kNoTimeout = Duration::max();

/// Handles of one stack. Not thread-safe: the driver's lock protects it.
class FileTable {
 public:
  /// As many handles as there can be.
  static constexpr int kMaxHandles = 1 << 20;

  /// Gives `file` the lowest free handle that is at least `lowest`, and takes a reference; -1 if
  /// there is none.
  int Add(OpenFile* file, bool close_on_exec, int lowest = 0);
  /// The file behind a handle; nullptr if there is none.
  OpenFile* Find(int handle) const;
  /// Frees the handle; the reference it held becomes the caller's. nullptr if there is none.
  OpenFile* Remove(int handle);

  bool close_on_exec(int handle) const { return slots_[Index(handle)].close_on_exec; }
  void set_close_on_exec(int handle, bool on) { slots_[Index(handle)].close_on_exec = on; }
  int open_handles() const { return open_; }
  ~FileTable();

 private:
  struct Slot {
    OpenFile* file = nullptr;
    bool close_on_exec = false;
  };
  static std::size_t Index(int handle) { return static_cast<std::size_t>(handle); }
  int LowestFree(int lowest);

  std::vector<Slot> slots_;
  // Freed handles below slots_.size(). May name handles that Add(lowest) has taken since.
  std::priority_queue<int, std::vector<int>, std::greater<>> free_;
  int open_ = 0;
};

}  // namespace estab::api
