// Uses the installed C++ library from outside: a host in virtual time sends its SYN over a memory
// link, and repeats it a second later.
#include <estab/host.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>

namespace {

// Prints what failed, and where, unless `ok`.
bool Expect(bool ok, const char* what) {
  if (!ok) std::fprintf(stderr, "consumer: failed: %s\n", what);
  return ok;
}

// The flags of the TCP segment in an IPv4 packet without options.
unsigned Flags(std::span<const std::byte> packet) {
  return packet.size() < 40 ? 0 : std::to_integer<unsigned>(packet[33]);
}

bool Run() {
  estab::Result<estab::Host> host = estab::Host::Create({.virtual_clock = true});
  if (!Expect(host.has_value(), "Host::Create")) return false;
  const estab::Result<estab::LinkId> link = host->AddMemoryLink();
  if (!Expect(link.has_value(), "AddMemoryLink")) return false;
  if (!Expect(host->AddAddress(*link, "192.0.2.1/24").has_value(), "AddAddress")) return false;

  const auto remote = estab::IpAddress::Parse("192.0.2.2");
  estab::Result<estab::TcpStream> stream = host->StartConnect({*remote, 80});
  if (!Expect(stream.has_value(), "StartConnect")) return false;

  std::array<std::byte, 1500> packet;
  for (int seconds = 0; seconds < 2; ++seconds) {
    estab::Time at;
    const estab::Result<std::size_t> size = host->Collect(*link, packet, &at);
    if (!Expect(size.has_value() && *size >= 40, "a packet leaves")) return false;
    if (!Expect(Flags({packet.data(), *size}) == estab::kSyn, "it is a SYN")) return false;
    if (!Expect(at.time_since_epoch() == std::chrono::seconds(seconds), "in time")) return false;
    if (!Expect(host->Advance(std::chrono::seconds(1)).has_value(), "Advance")) return false;
  }
  const estab::Result<estab::ConnectionInfo> info = stream->Info();
  return Expect(info.has_value() && info->state == estab::State::kSynSent, "state SYN_SENT");
}

}  // namespace

int main() {
  if (!Run()) return 1;
  std::puts("C++ consumer: SYN at 0 s and at 1 s");
  return 0;
}
