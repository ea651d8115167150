// TCP Fast Open (RFC 7413): the cookies that let a SYN's data be taken at once, who makes them and
// who keeps them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/memory.h"
#include "base/siphash.h"
#include "estab/address.h"
#include "wire/segment.h"

namespace estab::stack {

/// Bits of net.ipv4.tcp_fastopen.
inline constexpr int kFastOpenClient = 1;
inline constexpr int kFastOpenServer = 2;
inline constexpr int kFastOpenClientNoCookie = 4;      // data on the SYN, cookie or not
inline constexpr int kFastOpenServerNoCookie = 0x200;  // and taken, cookie or not
inline constexpr int kFastOpenEveryListener = 0x400;   // listen() enables it
inline constexpr int kFastOpenBits = 0x607;

struct FastOpenCookie {
  std::uint8_t size = 0;  // 0: none
  std::array<std::uint8_t, 16> bytes{};
  bool experimental = false;  // comes and goes in the option's experimental form
  friend bool operator==(const FastOpenCookie&, const FastOpenCookie&) = default;
};

/// The cookie of a SYN's or SYN|ACK's Fast Open option, and the option for a cookie.
FastOpenCookie CookieOf(const wire::TcpOptions& options);
void PutCookie(const FastOpenCookie& cookie, wire::TcpOptions& options);

/// A server's secrets: cookies are made with the first, and still taken with the second.
struct FastOpenKeys {
  std::array<SipKey, 2> keys{};
  std::uint8_t count = 1;
};

/// The cookie of a client at a server: SipHash-2-4 over both addresses, as Linux makes it, so that
/// machines with the same key take each other's.
FastOpenCookie MakeFastOpenCookie(const SipKey& key, const IpAddress& client,
                                  const IpAddress& server);

/// net.ipv4.tcp_fastopen_key: "01234567-89abcdef-01234567-89abcdef", or two of them with a comma.
bool ReadFastOpenKeys(std::string_view text, FastOpenKeys& keys);
std::string_view WriteFastOpenKeys(const FastOpenKeys& keys, std::span<char> out);

/// What servers have given us: by address, a fixed number of places. An address has two; who needs
/// one that is taken gets the older.
class FastOpenCache {
 public:
  struct Entry {
    IpAddress server;
    FastOpenCookie cookie;
    std::uint16_t mss = 0;  // the server's, as it announced it
  };

  /// Takes nothing from `memory` before the first Store. `memory` must outlive the cache.
  explicit FastOpenCache(Memory& memory) : memory_(&memory) {}
  ~FastOpenCache();
  FastOpenCache(const FastOpenCache&) = delete;
  FastOpenCache& operator=(const FastOpenCache&) = delete;

  /// nullptr if there is none.
  const Entry* Find(const SipKey& key, const IpAddress& server) const;
  /// Keeps it if there is memory.
  void Store(const SipKey& key, const Entry& entry);
  /// A server that is known has announced another MSS.
  void NoteMss(const SipKey& key, const IpAddress& server, std::uint16_t mss);

 private:
  static constexpr std::size_t kSets = 256;
  using Set = std::array<Entry, 2>;  // the newer first
  static std::size_t SetOf(const SipKey& key, const IpAddress& server);

  Memory* memory_;
  Set* sets_ = nullptr;
};

}  // namespace estab::stack
