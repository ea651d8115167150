#include "stack/fast_open.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>

namespace estab::stack {
namespace {

constexpr std::size_t kCookieSize = 8;
constexpr std::size_t kWords = 4;  // of a key, 32 bits each
constexpr std::size_t kWordDigits = 8;

bool ReadKey(std::string_view text, SipKey& key) {
  for (std::size_t i = 0; i < kWords; ++i) {
    if (i != 0) {
      if (text.empty() || text.front() != '-') return false;
      text.remove_prefix(1);
    }
    const std::size_t digits = std::min(text.find('-'), text.size());
    std::uint32_t word = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + digits, word, 16);
    if (error != std::errc{} || end != text.data() + digits || digits > kWordDigits) return false;
    for (std::size_t b = 0; b < 4; ++b) key[i * 4 + b] = static_cast<std::uint8_t>(word >> (8 * b));
    text.remove_prefix(digits);
  }
  return text.empty();
}

char* WriteKey(const SipKey& key, char* at) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < kWords; ++i) {
    if (i != 0) *at++ = '-';
    for (std::size_t b = 4; b-- > 0;) {
      *at++ = kDigits[key[i * 4 + b] >> 4];
      *at++ = kDigits[key[i * 4 + b] & 15];
    }
  }
  return at;
}

std::size_t PutAddress(const IpAddress& address, std::byte* at) {
  const std::size_t skipped = address.is_v4() ? 12 : 0;
  std::memcpy(at, address.bytes.data() + skipped, 16 - skipped);
  return 16 - skipped;
}

}  // namespace

FastOpenCookie MakeFastOpenCookie(const SipKey& key, const IpAddress& client,
                                  const IpAddress& server) {
  std::byte message[32];
  std::size_t size = PutAddress(client, message);
  size += PutAddress(server, message + size);
  const std::uint64_t hash = SipHash24(key, {message, size});
  FastOpenCookie cookie;
  cookie.size = kCookieSize;
  for (std::size_t i = 0; i < kCookieSize; ++i) {
    cookie.bytes[i] = static_cast<std::uint8_t>(hash >> (8 * i));
  }
  return cookie;
}

FastOpenCookie CookieOf(const wire::TcpOptions& options) {
  return {options.fast_open_size, options.fast_open_cookie, options.fast_open_experimental};
}

void PutCookie(const FastOpenCookie& cookie, wire::TcpOptions& options) {
  options.has_fast_open = true;
  options.fast_open_experimental = cookie.experimental;
  options.fast_open_size = cookie.size;
  options.fast_open_cookie = cookie.bytes;
}

bool ReadFastOpenKeys(std::string_view text, FastOpenKeys& keys) {
  FastOpenKeys read;
  const std::size_t comma = text.find(',');
  if (!ReadKey({text.data(), std::min(comma, text.size())}, read.keys[0])) return false;
  if (comma != std::string_view::npos) {
    read.count = 2;
    text.remove_prefix(comma + 1);
    if (!ReadKey(text, read.keys[1])) return false;
  }
  keys = read;
  return true;
}

std::string_view WriteFastOpenKeys(const FastOpenKeys& keys, std::span<char> out) {
  char* at = WriteKey(keys.keys[0], out.data());
  if (keys.count == 2) {
    *at++ = ',';
    at = WriteKey(keys.keys[1], at);
  }
  return {out.data(), static_cast<std::size_t>(at - out.data())};
}

FastOpenCache::~FastOpenCache() {
  if (sets_ != nullptr) memory_->Free(sets_, kSets * sizeof(Set));
}

std::size_t FastOpenCache::SetOf(const SipKey& key, const IpAddress& server) {
  return SipHash13(key, std::as_bytes(std::span(server.bytes))) % kSets;
}

const FastOpenCache::Entry* FastOpenCache::Find(const SipKey& key, const IpAddress& server) const {
  if (sets_ == nullptr) return nullptr;
  for (const Entry& entry : sets_[SetOf(key, server)]) {
    if (entry.cookie.size != 0 && entry.server == server) return &entry;
  }
  return nullptr;
}

void FastOpenCache::NoteMss(const SipKey& key, const IpAddress& server, std::uint16_t mss) {
  const Entry* entry = Find(key, server);
  if (entry != nullptr) const_cast<Entry*>(entry)->mss = mss;
}

void FastOpenCache::Store(const SipKey& key, const Entry& entry) {
  if (sets_ == nullptr) {
    void* memory = memory_->Allocate(kSets * sizeof(Set), alignof(Set));
    if (memory == nullptr) return;
    sets_ = new (memory) Set[kSets];
  }
  Set& set = sets_[SetOf(key, entry.server)];
  if (!(set[0].server == entry.server)) set[1] = set[0];
  set[0] = entry;
}

}  // namespace estab::stack
