// IPv6 extension headers (RFC 8200 §4): walked over, judged, and reported about.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace estab::wire {

/// Next headers of RFC 8200 §4.
inline constexpr std::uint8_t kHopByHop = 0;
inline constexpr std::uint8_t kRouting = 43;
inline constexpr std::uint8_t kFragment = 44;
inline constexpr std::uint8_t kNoNextHeader = 59;
inline constexpr std::uint8_t kDestinationOptions = 60;

/// A chain has no more headers than this, and a header of options no more than kMaxOptions of them,
/// padding apart (RFC 8504 §5.3 lets a host say so; Linux: net.ipv6.max_dst_opts_number).
inline constexpr unsigned kMaxExtensions = 8;
inline constexpr unsigned kMaxOptions = 8;

/// Codes of "parameter problem" (RFC 4443 §3.4, RFC 7112).
enum class IcmpV6Parameter : std::uint8_t {
  kHeaderField = 0,
  kNextHeader = 1,
  kOption = 2,
  kIncompleteChain = 3,
};

/// Something in a header that a packet must be refused for, and what its sender is to be told.
struct HeaderProblem {
  bool found = false;
  bool tell = false;           // by a parameter problem with this code and pointer
  bool even_to_group = false;  // also if the packet was sent to a multicast group
  std::uint8_t code = 0;
  std::uint16_t pointer = 0;  // offset of the offending byte in the packet
};

/// What a walk over extension headers found.
struct ExtensionChain {
  std::uint8_t protocol = 0;            // what follows them
  std::uint16_t named_at = 0;           // offset in the packet of the byte that says so
  bool fragment = false;                // a fragment header that is not atomic ended the walk
  std::uint16_t fragment_at = 0;        // where in the packet that one begins,
  std::uint16_t fragment_named_at = 0;  // and where the byte is that says so
  std::size_t size = 0;                 // bytes walked over
  HeaderProblem problem;                // ended the walk

  bool is_extension() const {
    return protocol == kHopByHop || protocol == kRouting || protocol == kFragment ||
           protocol == kDestinationOptions;
  }
};

/// Whose packet it is: an arriving one is judged, and refused as RFC 8200 says; one that an ICMP
/// error quotes has been judged by others already, and is only walked over.
enum class ExtensionWalk : std::uint8_t { kJudge, kSkip };

/// Walks over the extension headers in `bytes`, which begin behind the fixed header with a header
/// of type `protocol`, up to the first other header, or to the end of the first fragment header
/// that is not atomic (RFC 6946). A header that is cut off is a problem that nobody is told of.
ExtensionChain WalkExtensions(std::uint8_t protocol, std::span<const std::byte> bytes,
                              ExtensionWalk how);

}  // namespace estab::wire
