#include "cli/http_session.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "cli/failure.h"
#include "cli/http_request.h"

namespace estab::cli {
namespace {

constexpr Duration kHeadLimit = std::chrono::seconds(15);
constexpr Duration kStallLimit = std::chrono::seconds(60);
constexpr Duration kLingerLimit = std::chrono::seconds(2);

std::string HttpDate() {
  const time_t now = time(nullptr);
  tm utc{};
  gmtime_r(&now, &utc);
  char text[64];
  const std::size_t n = strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return {text, n};
}

class HttpSession final : public Session {
 public:
  HttpSession(Machine& machine, SocketId socket, std::shared_ptr<const Folder> folder)
      : Session(machine, socket), folder_(std::move(folder)) {
    EnterPhase(Phase::kReading);
  }

  Next Run() override {
    moved_ = 0;
    while (moved_ < kTurn) {
      Next next = Next::kDone;
      switch (phase_) {
        case Phase::kReading:
          next = ReadHead();
          break;
        case Phase::kSending:
          next = SendResponse();
          break;
        case Phase::kLingering:
          next = Linger();
          break;
      }
      if (next != Next::kAgain) return next;
    }
    return Next::kAgain;
  }

  Next Tick() override {
    if (now() < limit_) return Run();
    if (phase_ == Phase::kReading && !input_.empty()) {
      RespondText(408);
      return Run();
    }
    if (phase_ == Phase::kSending) Abort();
    return Next::kDone;
  }

  Next Finish() override {
    finishing_ = true;
    keep_alive_ = false;
    return Run();
  }

 private:
  enum class Phase { kReading, kSending, kLingering };

  void EnterPhase(Phase phase) {
    phase_ = phase;
    const Duration limit = phase == Phase::kReading   ? kHeadLimit
                           : phase == Phase::kSending ? kStallLimit
                                                      : kLingerLimit;
    limit_ = now() + limit;
  }

  // kAgain: the phase has changed, or there is more to do.
  Next ReadHead() {
    while (true) {
      const std::size_t end = FindHeadEnd(input_);
      if (end != 0) {
        Answer(input_.substr(0, end));
        input_.erase(0, end);
        return Next::kAgain;
      }
      if (input_.size() >= kLongestHead) {
        RespondText(431);
        return Next::kAgain;
      }
      const auto room = Scratch().first(kLongestHead - input_.size());
      const auto got = Read(room);
      if (!got && got.error() == Error::kWouldBlock) {
        // Nobody is in the middle of a request.
        return finishing_ && input_.empty() ? Next::kDone : Next::kWait;
      }
      if (!got || *got == 0) return Next::kDone;
      input_.append(reinterpret_cast<const char*>(room.data()), *got);
      // Empty lines before a request are to be ignored (RFC 9112 §2.2).
      input_.erase(0, std::min(input_.find_first_not_of("\r\n"), input_.size()));
    }
  }

  void Answer(std::string_view head) {
    const auto request = ParseHttpRequest(head);
    keep_alive_ = request && request->keep_alive && !finishing_;
    head_only_ = (request && request->head_only) || head.starts_with("HEAD ");
    if (!request) return RespondText(request.error());
    auto found = folder_->Open(request->path);
    if (!found) return RespondText(found.error(), keep_alive_);
    if (!found->is_directory) {
      if (request->directory) return RespondText(404, keep_alive_);
      return RespondFile(std::move(*found), request->path.back());
    }
    // The root has no slash to miss.
    if (!request->directory && !request->path.empty()) {
      return Respond(301, "text/plain; charset=utf-8", "see there\n",
                     fmt::format("Location: {}/\r\n", request->encoded_path));
    }
    std::vector<std::string> index = request->path;
    index.emplace_back("index.html");
    auto page = folder_->Open(index);
    if (page && !page->is_directory) return RespondFile(std::move(*page), index.back());
    std::string title = "/";
    for (const std::string& component : request->path) title += component + "/";
    Respond(200, "text/html; charset=utf-8", Folder::List(*found, title));
  }

  // A response that says what its status means. Errors of the request end the connection.
  void RespondText(int status, bool keep_alive = false) {
    keep_alive_ = keep_alive;
    Respond(status, "text/plain; charset=utf-8", fmt::format("{} {}\n", status, HttpReason(status)),
            status == 405 ? "Allow: GET, HEAD\r\n" : "");
  }

  void Respond(int status, std::string_view type, const std::string& body,
               std::string_view fields = {}) {
    StartHead(status, type, body.size(), fields);
    if (!head_only_) output_ += body;
  }

  void RespondFile(Folder::Found file, std::string_view name) {
    StartHead(200, MediaType(name), file.size, {});
    if (head_only_) return;
    file_ = std::move(file.fd);
    file_offset_ = 0;
    file_size_ = file.size;
  }

  void StartHead(int status, std::string_view type, std::uint64_t length, std::string_view fields) {
    output_ = fmt::format(
        "HTTP/1.1 {} {}\r\nDate: {}\r\nServer: estab\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
        "{}{}\r\n",
        status, HttpReason(status), HttpDate(), type, length, fields,
        keep_alive_ ? "" : "Connection: close\r\n");
    sent_ = 0;
    EnterPhase(Phase::kSending);
  }

  Next SendResponse() {
    while (sent_ < output_.size()) {
      const auto sent = Send(std::as_bytes(std::span(output_).subspan(sent_)));
      if (!sent) return AfterRefusal(sent.error());
      sent_ += *sent;
      Progress(*sent);
    }
    while (file_offset_ < file_size_) {
      if (moved_ >= kTurn) return Next::kAgain;
      const Next next = SendPiece();
      if (next != Next::kAgain) return next;
    }
    output_.clear();
    file_ = io::Fd();
    file_offset_ = file_size_ = 0;
    if (keep_alive_) {
      EnterPhase(Phase::kReading);
    } else {
      ShutdownWrite();
      EnterPhase(Phase::kLingering);
    }
    return Next::kAgain;
  }

  // What does not fit into the send buffer is read from the file again later: nothing is held here.
  Next SendPiece() {
    const auto room =
        Scratch().first(std::min<std::uint64_t>(Scratch().size(), file_size_ - file_offset_));
    const ssize_t n =
        pread(file_.get(), room.data(), room.size(), static_cast<off_t>(file_offset_));
    if (n <= 0) {  // it was cut, or cannot be read: the length that was promised cannot be kept
      Abort();
      return Next::kDone;
    }
    const auto sent = Send(room.first(static_cast<std::size_t>(n)));
    if (!sent) return AfterRefusal(sent.error());
    file_offset_ += *sent;
    Progress(*sent);
    return Next::kAgain;
  }

  void Progress(std::size_t sent) {
    moved_ += sent;
    limit_ = now() + kStallLimit;
  }

  static Next AfterRefusal(Error error) {
    return error == Error::kWouldBlock ? Next::kWait : Next::kDone;
  }

  // The response must not be lost to the reset that closing over unread bytes would be.
  Next Linger() {
    const auto got = Read(Scratch());
    if (!got) return got.error() == Error::kWouldBlock ? Next::kWait : Next::kDone;
    moved_ += *got;
    return *got == 0 ? Next::kDone : Next::kAgain;
  }

  std::shared_ptr<const Folder> folder_;
  Phase phase_ = Phase::kReading;
  Time limit_{};
  std::string input_;   // of a head that is not complete, or of requests that wait; bounded
  std::string output_;  // head of the response, and its body unless that is a file
  std::size_t sent_ = 0;
  io::Fd file_;
  std::uint64_t file_offset_ = 0;
  std::uint64_t file_size_ = 0;
  std::size_t moved_ = 0;  // since Run began
  bool head_only_ = false;
  bool keep_alive_ = false;
  bool finishing_ = false;
};

}  // namespace

std::unique_ptr<Session> MakeHttp(Machine& machine, SocketId socket,
                                  std::shared_ptr<const Folder> folder) {
  return std::make_unique<HttpSession>(machine, socket, std::move(folder));
}

}  // namespace estab::cli
