#include "cli/ask.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/failure.h"
#include "io/fd.h"

namespace estab::cli {
namespace {

using Json = nlohmann::ordered_json;

io::Fd Reach(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    Misused("--control {}: a path of 1 to {} bytes", path, sizeof(address.sun_path) - 1);
  }
  path.copy(address.sun_path, path.size());
  io::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) Failed("no socket: {}", std::strerror(errno));
  const timeval patience{10, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    Failed("nobody serves at {} ({}); is estab serve --control {} running?", path,
           std::strerror(errno), path);
  }
  return fd;
}

// One line of an answer; true if it is the last.
bool Take(const std::string& line, const std::function<void(const Json&)>& each) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) Failed("what answers there is no estab");
  if (json.contains("end")) return true;
  if (json.contains("error")) {
    const bool misuse = json.value("status", 1) == 2;
    const auto text = json["error"].get<std::string>();
    if (misuse) Misused("{}", text);
    Failed("{}", text);
  }
  each(json);
  return false;
}

}  // namespace

void Ask(const std::string& path, const Json& request,
         const std::function<void(const Json&)>& each) {
  const io::Fd fd = Reach(path);
  const std::string line = request.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  if (send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
    Failed("{}: cannot ask: {}", path, std::strerror(errno));
  }
  std::string in;
  std::size_t begin = 0;
  for (;;) {
    for (std::size_t end; (end = in.find('\n', begin)) != std::string::npos; begin = end + 1) {
      if (Take(in.substr(begin, end - begin), each)) return;
    }
    in.erase(0, begin);
    begin = 0;
    char buffer[16384];
    const ssize_t n = read(fd.get(), buffer, sizeof(buffer));
    if (n < 0) Failed("{}: no answer: {}", path, std::strerror(errno));
    if (n == 0) Failed("{}: the server ended in the middle of its answer", path);
    in.append(buffer, static_cast<std::size_t>(n));
  }
}

}  // namespace estab::cli
