// Reading an HTTP/1.1 request head (RFC 9110, RFC 9112).
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace estab::cli {

/// Longest request head that is read; a longer one is answered with 431.
inline constexpr std::size_t kLongestHead = 8192;

/// A request for a file.
struct HttpRequest {
  bool head_only = false;         // HEAD
  bool keep_alive = true;         // the connection may stay open behind the response
  std::vector<std::string> path;  // percent-decoded components, without "", "." and ".."
  bool directory = false;         // the path ended with a slash
  std::string encoded_path;       // as it came, without the query: for redirects
};

/// The size of the head at the beginning of `bytes`, its empty line included; 0 if it is not
/// complete.
std::size_t FindHeadEnd(std::string_view bytes);

/// Reads a complete head. The error is the status to answer with: 400, 405 or 505.
std::expected<HttpRequest, int> ParseHttpRequest(std::string_view head);

/// Puts `text` with every %XX decoded into `out`; false if an escape is cut or not hexadecimal.
bool PercentDecode(std::string_view text, std::string& out);

/// A name as one component of a URL's path.
std::string PercentEncode(std::string_view name);

/// "Not Found" for 404, and so on.
const char* HttpReason(int status);

}  // namespace estab::cli
