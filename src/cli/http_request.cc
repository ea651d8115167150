#include "cli/http_request.h"

#include <algorithm>
#include <cctype>
#include <optional>

namespace estab::cli {
namespace {

bool IsTokenChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenChar);
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

std::string_view Trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Cuts the first line off, its CR LF (or lone LF, RFC 9112 §2.2) dropped.
std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// What matters here of the header fields.
struct Fields {
  int hosts = 0;
  bool close = false;
  bool keep_alive = false;
  bool has_body = false;
};

void TakeConnection(std::string_view value, Fields& fields) {
  const std::string lower = Lower(value);
  std::string_view rest = lower;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view option = Trim(rest.substr(0, comma));
    rest.remove_prefix(comma == rest.npos ? rest.size() : comma + 1);
    if (option == "close") fields.close = true;
    if (option == "keep-alive") fields.keep_alive = true;
  }
}

// False if a line is not a header field; folded lines (RFC 9112 §5.2) are not.
bool TakeFields(std::string_view text, Fields& fields) {
  while (!text.empty()) {
    const std::string_view line = TakeLine(text);
    if (line.empty()) return true;
    const std::size_t colon = line.find(':');
    if (colon == line.npos || !IsToken(line.substr(0, colon))) return false;
    if (line.find('\0') != line.npos || line.find('\r') != line.npos) return false;
    const std::string name = Lower(line.substr(0, colon));
    const std::string_view value = Trim(line.substr(colon + 1));
    if (name == "host") ++fields.hosts;
    if (name == "connection") TakeConnection(value, fields);
    if (name == "transfer-encoding") fields.has_body = true;
    if (name == "content-length" && value != "0") fields.has_body = true;
  }
  return true;
}

// The path of "/path?query" or "http://host/path?query" (RFC 9112 §3.2).
std::optional<std::string_view> PathOf(std::string_view target) {
  if (Lower(target.substr(0, 7)) == "http://") {
    target.remove_prefix(7);
    const std::size_t slash = target.find_first_of("/?");
    target = slash == target.npos || target[slash] == '?' ? "/" : target.substr(slash);
  }
  if (!target.starts_with('/')) return std::nullopt;
  return target.substr(0, target.find_first_of("?#"));
}

// False for what must never reach the file system.
bool SplitPath(std::string_view path, HttpRequest& request) {
  // One slash at the front: a browser would take what follows two for a host.
  request.encoded_path = path.substr(std::min(path.find_first_not_of('/'), path.size()));
  request.encoded_path.insert(0, "/");
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::size_t slash = path.find('/');
    std::string component;
    if (!PercentDecode(path.substr(0, slash), component)) return false;
    path.remove_prefix(slash == path.npos ? path.size() : slash);
    if (component == ".." || component.find('/') != component.npos ||
        component.find('\0') != component.npos) {
      return false;
    }
    request.directory = component.empty() || component == ".";
    if (!request.directory) request.path.push_back(std::move(component));
  }
  return true;
}

}  // namespace

bool PercentDecode(std::string_view text, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return false;
    out += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return true;
}

std::string PercentEncode(std::string_view name) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || std::string_view("-._~").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

std::size_t FindHeadEnd(std::string_view bytes) {
  for (std::size_t at = bytes.find('\n'); at != bytes.npos; at = bytes.find('\n', at + 1)) {
    const std::string_view rest = bytes.substr(at + 1);
    if (rest.starts_with('\n')) return at + 2;
    if (rest.starts_with("\r\n")) return at + 3;
  }
  return 0;
}

std::expected<HttpRequest, int> ParseHttpRequest(std::string_view head) {
  const std::string_view line = TakeLine(head);
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == line.npos || first == last) return std::unexpected(400);
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!IsToken(method) || target.find_first_of(std::string_view(" \t\r\0", 4)) != target.npos) {
    return std::unexpected(400);
  }
  if (!version.starts_with("HTTP/")) return std::unexpected(400);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return std::unexpected(505);
  Fields fields;
  if (!TakeFields(head, fields)) return std::unexpected(400);
  const bool old = version == "HTTP/1.0";
  if (fields.hosts > 1 || (fields.hosts == 0 && !old)) return std::unexpected(400);
  if (method != "GET" && method != "HEAD") return std::unexpected(405);
  HttpRequest request;
  request.head_only = method == "HEAD";
  // A body is not read; what follows it could not be told from it.
  request.keep_alive = !fields.close && !fields.has_body && (!old || fields.keep_alive);
  const auto path = PathOf(target);
  if (!path || !SplitPath(*path, request)) return std::unexpected(400);
  return request;
}

const char* HttpReason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 301:
      return "Moved Permanently";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

}  // namespace estab::cli
