// The stack's tables by themselves: settings, options, routes, sequence numbers, replies, hash.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "estab/stack.h"
#include "stack/demux.h"
#include "stack/isn.h"
#include "stack/network.h"
#include "stack/options_table.h"
#include "stack/ports.h"
#include "stack/replies.h"
#include "stack/settings_table.h"

namespace estab::stack {
namespace {

Tuple TupleOf(std::uint32_t local, std::uint16_t lport, std::uint32_t remote, std::uint16_t rport) {
  return {{IpAddress::V4(local), lport}, {IpAddress::V4(remote), rport}};
}

// --- Settings
// -------------------------------------------------------------------------------------

TEST(SettingsTable, EveryNameGetsSetsAndKeepsItsLimits) {
  Stack s = std::move(*Stack::Create({}));
  std::array<char, kSettingTextSize> room;
  const auto get = [&](const char* name) { return std::string(*s.GetSetting(name, room)); };
  for (const SettingEntry& e : SettingEntries()) {
    const std::string before = get(e.name);
    ASSERT_FALSE(before.empty()) << e.name;
    EXPECT_TRUE(s.SetSetting(e.name, before)) << e.name;  // what it says it takes
    EXPECT_EQ(get(e.name), before);
    for (const char* bad :
         {"", "x", "1x", "1 2 3 4", "0x10", "1.5", "99999999999999999999", "-5"}) {
      const bool mask = e.kind == SettingEntry::Kind::kMask;
      if (mask && std::string_view(bad) == "0x10") continue;
      EXPECT_EQ(s.SetSetting(e.name, bad).error(), Error::kInvalid) << e.name << " = " << bad;
    }
    EXPECT_EQ(get(e.name), before) << e.name;
    if (e.kind != SettingEntry::Kind::kInt && e.kind != SettingEntry::Kind::kDuration) continue;
    for (std::int64_t edge : {e.least, e.most}) {
      EXPECT_TRUE(s.SetSetting(e.name, std::to_string(edge))) << e.name;
      EXPECT_EQ(get(e.name), std::to_string(edge));
    }
    EXPECT_FALSE(s.SetSetting(e.name, std::to_string(e.least - 1))) << e.name;
    EXPECT_FALSE(s.SetSetting(e.name, std::to_string(e.most + 1))) << e.name;
  }
  EXPECT_EQ(s.SetSetting("net.ipv4.no_such", "1").error(), Error::kNotFound);
  EXPECT_EQ(s.GetSetting("net.ipv4.no_such", room).error(), Error::kNotFound);
}

TEST(SettingsTable, AProfileBringsItsValuesAndLeavesWhatWasSetByName) {
  Stack s = std::move(*Stack::Create({}));
  std::array<char, kSettingTextSize> room;
  const auto get = [&](const char* name) { return std::string(*s.GetSetting(name, room)); };
  EXPECT_EQ(get("estab.profile"), "default");
  EXPECT_TRUE(s.SetSetting("net.ipv4.tcp_keepalive_probes", "3"));
  EXPECT_TRUE(s.SetSetting("estab.profile", "linux"));
  EXPECT_EQ(get("estab.profile"), "linux");
  EXPECT_EQ(get("net.ipv4.tcp_syn_retries"), "6");
  EXPECT_EQ(get("net.ipv4.tcp_keepalive_probes"), "3");
  EXPECT_TRUE(s.SetSetting("net.ipv4.tcp_syn_retries", "2"));
  EXPECT_TRUE(s.SetSetting("estab.profile", "rfc"));
  EXPECT_EQ(get("net.ipv4.tcp_syn_retries"), "2");
  EXPECT_EQ(get("estab.tcp_msl"), "120000");
  EXPECT_TRUE(s.SetSetting("estab.profile", "default"));
  EXPECT_EQ(get("estab.tcp_msl"), "30000");
  EXPECT_EQ(s.SetSetting("estab.profile", "bsd").error(), Error::kInvalid);
  EXPECT_EQ(get("estab.profile"), "default");
}

TEST(SettingsTable, RowsRangesAndUnits) {
  Stack s = std::move(*Stack::Create({}));
  std::array<char, kSettingTextSize> room;
  EXPECT_TRUE(s.SetSetting("net.ipv4.tcp_rmem", " 4096  8192\t16384 "));
  EXPECT_EQ(*s.GetSetting("net.ipv4.tcp_rmem", room), "4096\t8192\t16384");
  EXPECT_FALSE(s.SetSetting("net.ipv4.tcp_rmem", "4096 2048 16384"));
  EXPECT_TRUE(s.SetSetting("net.ipv4.ip_local_port_range", "1000 1000"));
  EXPECT_FALSE(s.SetSetting("net.ipv4.ip_local_port_range", "1001 1000"));
  EXPECT_FALSE(s.SetSetting("net.ipv4.ip_local_port_range", "0 1000"));
  EXPECT_FALSE(s.SetSetting("net.ipv4.ip_local_port_range", "1 65536"));
  EXPECT_TRUE(s.SetSetting("estab.tcp_msl", "2min"));
  EXPECT_EQ(*s.GetSetting("estab.tcp_msl", room), "120000");
  EXPECT_TRUE(s.SetSetting("estab.tcp_msl", "3s"));
  EXPECT_TRUE(s.SetSetting("estab.tcp_msl", "250ms"));
  EXPECT_FALSE(s.SetSetting("estab.tcp_msl", "3h"));
}

TEST(SettingsTable, SeedHoldsFromTheStart) {
  Stack s = std::move(*Stack::Create({}));
  EXPECT_TRUE(s.SetSetting("estab.seed", "one"));
  s.Advance(Time{} + std::chrono::seconds(1));
  EXPECT_EQ(s.SetSetting("estab.seed", "two").error(), Error::kBusy);
}

// --- Options
// ----------------------------------------------------------------------------------------

TEST(Options, EqualOnesShareABlock) {
  Memory memory(HeapAllocator());
  OptionsTable table(memory);
  ASSERT_TRUE(table.Begin());
  SocketOptions o;
  EXPECT_EQ(table.Intern(o), table.Default());
  o.no_delay = true;
  const SocketOptions* a = table.Intern(o);
  const SocketOptions* b = table.Intern(o);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, table.Default());
  EXPECT_EQ(table.size(), 2u);
  o.fin_wait2_seconds = -1;
  const SocketOptions* c = table.Intern(o);
  EXPECT_NE(c, a);
  table.Unref(a);
  EXPECT_EQ(table.size(), 3u);
  table.Unref(b);
  table.Unref(c);
  EXPECT_EQ(table.size(), 1u);
}

// --- Routes
// ---------------------------------------------------------------------------------------------

TEST(Routes, LongestPrefixThenTheFirst) {
  Network n;
  ASSERT_TRUE(n.AddLink(1500));
  ASSERT_TRUE(n.AddLink(1500));
  ASSERT_TRUE(n.AddAddress(0, *Prefix::Parse("192.0.2.1/24")));
  ASSERT_TRUE(n.AddAddress(1, *Prefix::Parse("198.51.100.1/24")));
  ASSERT_TRUE(n.AddRoute(0, *Prefix::Parse("0.0.0.0/0"), nullptr));
  ASSERT_TRUE(n.AddRoute(1, *Prefix::Parse("0.0.0.0/0"), nullptr));
  ASSERT_TRUE(n.AddRoute(1, *Prefix::Parse("192.0.2.128/25"), nullptr));
  const auto find = [&](const char* to) { return n.Find(*IpAddress::Parse(to)); };
  EXPECT_EQ(find("192.0.2.5")->link, 0);
  EXPECT_EQ(find("192.0.2.200")->link, 1);
  EXPECT_EQ(find("192.0.2.200")->source, *IpAddress::Parse("198.51.100.1"));
  EXPECT_EQ(find("203.0.113.1")->link, 0);
  EXPECT_EQ(find("2001:db8::1").error(), Error::kNetworkUnreachable);
  EXPECT_TRUE(n.IsBroadcast(*IpAddress::Parse("192.0.2.255")));
  EXPECT_FALSE(n.IsBroadcast(*IpAddress::Parse("192.0.2.127")));
  EXPECT_TRUE(n.IsBroadcast(*IpAddress::Parse("255.255.255.255")));
}

TEST(Routes, Refusals) {
  Network n;
  EXPECT_EQ(n.AddLink(575).error(), Error::kInvalid);
  EXPECT_EQ(n.AddLink(65536).error(), Error::kInvalid);
  EXPECT_EQ(n.AddAddress(0, *Prefix::Parse("192.0.2.1/24")).error(), Error::kInvalid);
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(n.AddLink(1500));
  EXPECT_EQ(n.AddLink(1500).error(), Error::kNoBuffers);
  EXPECT_TRUE(n.AddAddress(0, *Prefix::Parse("192.0.2.1/24")));
  EXPECT_EQ(n.AddAddress(1, *Prefix::Parse("192.0.2.1/24")).error(), Error::kAddressInUse);
  for (const char* bad : {"0.0.0.0/0", "224.0.0.1/24", "255.255.255.255/32", "::/0"}) {
    EXPECT_EQ(n.AddAddress(0, *Prefix::Parse(bad)).error(), Error::kInvalid) << bad;
  }
}

// --- Sequence numbers: RFC 6528
// -----------------------------------------------------------------------------

TEST(Isn, AdvancesByElapsedTicksForTheSameTuple) {
  const SipKey key{1};
  const Tuple t = TupleOf(1, 2, 3, 4);
  const SndSeq first = InitialSequence(OriginsOf(key, t), Time{}, 4000);
  for (std::int64_t us : {4ll, 4000ll, 60'000'000ll, 20'000'000'000ll}) {
    const SndSeq later =
        InitialSequence(OriginsOf(key, t), Time{} + std::chrono::microseconds(us), 4000);
    EXPECT_EQ(static_cast<std::uint32_t>(later - first), static_cast<std::uint32_t>(us / 4));
  }
  EXPECT_EQ(InitialSequence(OriginsOf(key, t), Time{} + std::chrono::microseconds(3), 4000), first);
}

TEST(Isn, OthersAreUnrelated) {
  std::set<std::uint32_t> seen;
  for (std::uint16_t port = 1; port <= 1000; ++port) {
    seen.insert(InitialSequence(OriginsOf(SipKey{1}, TupleOf(1, port, 3, 4)), Time{}, 4000).raw() >>
                8);
    seen.insert(InitialSequence(OriginsOf(SipKey{1}, TupleOf(1, 2, 3, port)), Time{}, 4000).raw() >>
                    8 |
                0x80000000u);
  }
  EXPECT_GE(seen.size(), 1990u);
  EXPECT_NE(InitialSequence(OriginsOf(SipKey{1}, TupleOf(1, 2, 3, 4)), Time{}, 4000),
            InitialSequence(OriginsOf(SipKey{2}, TupleOf(1, 2, 3, 4)), Time{}, 4000));
}

// --- Hash
// -----------------------------------------------------------------------------------------------------

TEST(Hash, KeyedAndSensitiveToEveryField) {
  const Tuple t = TupleOf(0xC0000201, 80, 0xC0000202, 4000);
  const std::uint32_t h = HashTuple(SipKey{1}, 6, t);
  EXPECT_EQ(h, HashTuple(SipKey{1}, 6, t));
  EXPECT_NE(h, HashTuple(SipKey{2}, 6, t));
  EXPECT_NE(h, HashTuple(SipKey{1}, 17, t));
  EXPECT_NE(h, HashTuple(SipKey{1}, 6, {t.remote, t.local}));
  Tuple other = t;
  other.local.port = 81;
  EXPECT_NE(h, HashTuple(SipKey{1}, 6, other));
  other = t;
  other.remote.address = *IpAddress::Parse("2001:db8::1");
  EXPECT_NE(h, HashTuple(SipKey{1}, 6, other));
}

// --- Replies
// -----------------------------------------------------------------------------------------------------

TEST(Replies, KeepOrderAndDropTheNewestWhenFull) {
  Memory memory(HeapAllocator());
  ChunkPool chunks(memory);
  ReplyQueue q(memory, chunks);
  std::vector<std::byte> packet(40);
  std::uint32_t pushed = 0;
  for (; pushed < 5000; ++pushed) {
    packet[0] = static_cast<std::byte>(pushed);
    packet.resize(40 + pushed % 3 * 50);  // some lie in chunks
    if (!q.Push(static_cast<LinkId>(pushed % 2), packet)) break;
  }
  EXPECT_EQ(pushed, 1024u);
  EXPECT_EQ(q.dropped(), 1u);
  for (std::uint32_t i = 0; i < 500; ++i) q.Rotate();
  for (std::uint32_t i = 0; i < pushed; ++i) {
    const std::uint32_t n = (i + 500) % 1024;
    EXPECT_EQ(q.front()[0], static_cast<std::byte>(n));
    EXPECT_EQ(q.front().size(), 40 + n % 3 * 50);
    EXPECT_EQ(q.front_link(), n % 2);
    q.Pop();
  }
  EXPECT_TRUE(q.empty());
  EXPECT_EQ(chunks.live(), 0u);
}

// --- Ports
// ---------------------------------------------------------------------------------------------------------

TEST(Ports, CountsWhatHoldsThem) {
  Memory memory(HeapAllocator());
  PortTable ports(memory);
  EXPECT_EQ(ports.Held(80), 0u);
  constexpr Sharing kNothing, kAddress{.address = true}, kPort{.port = true}, kBoth{true, true};
  ASSERT_TRUE(ports.Hold(80, kNothing));
  ASSERT_TRUE(ports.Hold(80, kAddress));
  EXPECT_EQ(ports.Held(80), 2u);
  EXPECT_EQ(ports.Hindering(80, kAddress), 1u);
  EXPECT_EQ(ports.Hindering(80, kPort), 2u);
  ports.Release(80, kNothing);
  EXPECT_EQ(ports.Hindering(80, kAddress), 0u);
  ASSERT_TRUE(ports.Hold(80, kPort));
  EXPECT_EQ(ports.Hindering(80, kAddress), 1u);
  EXPECT_EQ(ports.Hindering(80, kBoth), 0u);
  Binding b;
  b.local = {IpAddress::AnyV6(), 65535};
  const std::uint32_t slot = ports.Bind(b);
  Binding v4;
  v4.local = {IpAddress::AnyV4(), 65535};
  EXPECT_TRUE(ports.Conflicts(v4));  // `::` without V6ONLY has both families
  ports[slot].v6_only = true;
  EXPECT_FALSE(ports.Conflicts(v4));
  EXPECT_TRUE(ports.IsBound(65535));
  ports.Unbind(slot);
  EXPECT_FALSE(ports.IsBound(65535));
}

}  // namespace
}  // namespace estab::stack
