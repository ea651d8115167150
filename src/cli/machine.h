// A stack on real links with the real clock, driven by one thread.
#pragma once

#include <poll.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cli/link_options.h"
#include "cli/share.h"
#include "estab/stack.h"
#include "io/port.h"
#include "observe/fanout.h"
#include "observe/journal.h"
#include "observe/ladder_builder.h"

namespace estab::cli {

/// The stack of `serve` and `connect`, its devices and its recordings. The program's loop is:
/// Turn, then whatever is ready in the stack.
class Machine : private PacketSink {
 public:
  /// Sets links, addresses and settings as `options` says. Throws Failure, with nothing left
  /// behind.
  Machine(const LinkOptions& options, Share share);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  Stack& stack() { return stack_; }
  /// The time for every call into the stack: that of the last Turn.
  Time now() const { return now_; }

  /// Fires timers, sends, waits until a link, one of `others` or a timer is ready or `until` has
  /// come, and receives. Fills in the `revents` of `others`.
  void Turn(std::span<pollfd> others, Time until);
  /// Sends what the stack has, as far as the links take it at once.
  void Flush();

  /// Keeps a journal from now on.
  void KeepJournal();
  /// nullptr unless one is kept.
  const observe::Journal* journal() const { return journal_ ? &*journal_ : nullptr; }

  /// Draws the ladder, if one was asked for. Once, at the end.
  void WriteLadder();

 private:
  SinkCapabilities Capabilities(LinkId link) const override;
  SinkResult Send(const TxPacket& packet) override;
  void AddLinks(const LinkOptions& options);
  void OpenLadder(const LinkOptions& options);
  void FlushLinks();
  std::size_t ReceiveFrom(std::size_t link);
  std::size_t ReceiveFromOthers(bool polled);
  void Wait(std::span<pollfd> others, Time until);

  Share share_;  // but for the devices
  Stack stack_;
  std::vector<std::unique_ptr<io::Port>> ports_;  // by LinkId
  std::unique_ptr<observe::LadderBuilder> ladder_;
  std::optional<observe::Journal> journal_;
  observe::Fanout observers_;
  std::FILE* ladder_file_ = nullptr;
  Time now_{};
  std::vector<pollfd> polled_;  // two for each port, the other machines', and others
  bool busy_poll_ = false;
  bool busy_ = false;   // packets came in the last turn
  unsigned turns_ = 0;  // since then
};

}  // namespace estab::cli
