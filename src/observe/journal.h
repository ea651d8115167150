// The journal: what happened to each connection and why, kept for the last so many events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "estab/observer.h"

namespace estab::observe {

/// One thing that happened, as the journal kept it.
struct Entry {
  Time at;
  RuleId rule{};
  State from = State::kClosed;
  State to = State::kClosed;
  Cause cause;  // of the segment: flags, seq, ack and length
};

/// What is remembered of one connection, oldest first.
struct Story {
  ConnectionNumber number = 0;
  Tuple tuple;
  std::vector<Entry> entries;
  bool whole = false;  // it begins with the connection's birth
};

/// Segments that came to no connection: the last one from one peer to one of our ports.
struct Refusal {
  Tuple tuple;
  Time first;               // when that rule began to be the answer
  std::uint32_t count = 0;  // how often since
  Entry last;
};

/// Remembers the rules that fired in one stack, in a ring of 32-byte records, each chained to the
/// one before it of the same connection; and in a small table those by which segments for nobody
/// were refused. Tells of connections alive or dead, by number or by four-tuple; `why.h` puts that
/// into sentences. Writing costs a few stores; the memory is reserved at once but touched only as
/// it fills. What has been overwritten is said to be missing, never invented.
class Journal final : public Observer {
 public:
  static constexpr std::size_t kDefaultRecords = 64 * 1024;
  static constexpr std::size_t kDefaultConnections = 16 * 1024;
  static constexpr std::size_t kDefaultRefusals = 1024;

  struct Options {
    std::size_t records = kDefaultRecords;          // rounded up to a power of two; at most 2^30
    std::size_t connections = kDefaultConnections;  // likewise: how many can be asked about
    std::size_t refusals = kDefaultRefusals;        // likewise: how many pairs of ends
    bool verdicts = false;                          // keep rules that changed no state, too
  };

  Journal() : Journal(Options{}) {}
  explicit Journal(const Options& options);

  /// The story of one connection; nullopt if not even its name is remembered.
  std::optional<Story> Tell(ConnectionNumber number) const;
  /// The number of the youngest connection with these ends (ours is `local`); 0 if none is
  /// remembered. Reads through all identities: for people, not for programs in a hurry.
  ConnectionNumber Find(const Tuple& tuple) const;
  /// How many connections with these ends are remembered. As Find.
  std::size_t Count(const Tuple& tuple) const;
  /// What was refused between these ends; nullopt if nothing is remembered.
  std::optional<Refusal> Refused(const Tuple& tuple) const;
  /// What was refused at `local` (any address: every address with that port), latest first, at
  /// most `most`. Reads through the table.
  std::vector<Refusal> RefusedAt(const Endpoint& local, std::size_t most) const;

  /// Events since the start, those overwritten included.
  std::uint64_t total() const { return total_; }
  /// How many events the ring holds.
  std::size_t capacity() const { return record_mask_ + 1; }

  unsigned Interests() const override;
  void OnRule(const RuleEvent& event) override;

 private:
  struct Record {
    std::int64_t time;  // ns
    std::uint32_t number;
    std::uint32_t previous;  // position (from 1, modulo 2^32) of this connection's last; 0: none
    std::uint32_t seq;
    std::uint32_t ack;        // of an ICMP cause: type << 8 | code
    std::uint32_t flags : 9;  // of the segment
    std::uint32_t length : 23;
    std::uint16_t rule;
    std::uint8_t from : 4;
    std::uint8_t to : 4;
    std::uint8_t trigger : 2;
    std::uint8_t detail : 6;  // the call or timer
  };
  static_assert(sizeof(Record) == 32);

  struct Identity {
    ConnectionNumber number;
    std::uint32_t head;  // position of the connection's newest record
    Tuple tuple;
  };

  struct FreeMemory {
    void operator()(void* memory) const { std::free(memory); }
  };

  const Identity* Remembered(ConnectionNumber number) const;
  const Record* At(std::uint32_t position, ConnectionNumber number) const;
  static Entry EntryOf(const Record& record);
  Refusal& PlaceOf(const Tuple& tuple) const;
  void Refuse(const RuleEvent& event);

  std::size_t record_mask_;
  std::size_t identity_mask_;
  std::size_t refusal_mask_;
  bool verdicts_;
  std::uint64_t total_ = 0;
  std::unique_ptr<Record[], FreeMemory> records_;
  std::unique_ptr<Identity[], FreeMemory> identities_;
  std::unique_ptr<Refusal[], FreeMemory> refusals_;
};

}  // namespace estab::observe
