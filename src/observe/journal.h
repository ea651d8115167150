// The journal: what happened to each connection and why, kept for the last so many events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "estab/observer.h"

namespace estab::observe {

/// Remembers the rules that fired in one stack, in a ring of 32-byte records, each chained to the
/// one before it of the same connection. Answers "why" for connections alive or dead, by number or
/// by four-tuple. Writing costs a few stores; the memory is reserved at once but touched only as
/// it fills. What the ring has overwritten is said to be missing, never invented.
class Journal : public Observer {
 public:
  static constexpr std::size_t kDefaultRecords = 64 * 1024;
  static constexpr std::size_t kDefaultConnections = 16 * 1024;

  struct Options {
    std::size_t records = kDefaultRecords;          // rounded up to a power of two; at most 2^30
    std::size_t connections = kDefaultConnections;  // likewise: how many can be asked about
    bool verdicts = false;                          // keep rules that changed no state, too
  };

  Journal() : Journal(Options{}) {}
  explicit Journal(const Options& options);

  /// The story of one connection, oldest first, one event a line, with a last line that says what
  /// state it is in now and why. A sentence that says so if the journal does not know it.
  std::string Why(ConnectionNumber number) const;
  /// The same for the youngest connection with these ends (ours is `local`). Reads through all
  /// identities: for people, not for programs in a hurry.
  std::string Why(const Tuple& tuple) const;
  /// The number of the youngest connection with these ends; 0 if none is remembered.
  ConnectionNumber Find(const Tuple& tuple) const;

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
  static std::string CauseText(const Record& record);
  static std::string Line(const Record& record);
  static std::string Ending(const Record& newest, std::int64_t since);

  std::size_t record_mask_;
  std::size_t identity_mask_;
  bool verdicts_;
  std::uint64_t total_ = 0;
  std::unique_ptr<Record[], FreeMemory> records_;
  std::unique_ptr<Identity[], FreeMemory> identities_;
};

}  // namespace estab::observe
