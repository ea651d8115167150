// Whole applications.
#include <algorithm>
#include <array>

#include "base/prng.h"
#include "observe/format.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPiece = 64 * 1024;

// FNV-1a, 64 bits: the same however the stream is cut into pieces.
class Checksum {
 public:
  void Add(std::span<const std::byte> data) {
    for (const std::byte b : data) {
      value_ = (value_ ^ static_cast<std::uint64_t>(b)) * 0x100000001b3u;
    }
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

// Sends a header and `bytes` of generated data, then closes; driven by whatever happens.
class DemoServer {
 public:
  DemoServer(Stack& stack, SocketId listener, std::uint64_t bytes)
      : stack_(stack), listener_(listener), left_(bytes), prng_(1), piece_(kPiece) {}

  void Step(Time now) {
    if (!accepted_) {
      const auto socket = stack_.Accept(now, listener_);
      if (!socket) return;
      socket_ = *socket;
      accepted_ = true;
    }
    if (!asked_ && !ReadRequest(now)) return;
    while (!closed_ && Write(now)) {
    }
  }
  std::uint64_t checksum() const { return checksum_.value(); }
  bool closed() const { return closed_; }

 private:
  bool ReadRequest(Time now) {
    std::array<std::byte, 1024> buffer;
    const auto got = stack_.Read(now, socket_, buffer);
    if (!got || *got == 0) return false;
    const std::string head = fmt::format("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", left_);
    (void)stack_.Send(now, socket_, std::as_bytes(std::span(head)));
    return asked_ = true;
  }
  bool Write(Time now) {
    if (begin_ == end_ && left_ != 0) {
      end_ = static_cast<std::size_t>(std::min<std::uint64_t>(left_, kPiece));
      begin_ = 0;
      left_ -= end_;
      for (std::size_t i = 0; i < end_; i += 8) {
        const std::uint64_t word = prng_.Next();
        for (std::size_t j = i; j < std::min(i + 8, end_); ++j) {
          piece_[j] = static_cast<std::byte>(word >> (8 * (j - i)));
        }
      }
      checksum_.Add(std::span(piece_).first(end_));
    }
    if (begin_ == end_) {
      closed_ = true;
      return stack_.Close(now, socket_).has_value();
    }
    const auto sent = stack_.Send(now, socket_, std::span(piece_).subspan(begin_, end_ - begin_));
    if (!sent) return false;
    begin_ += *sent;
    return true;
  }

  Stack& stack_;
  SocketId listener_;
  SocketId socket_;
  bool accepted_ = false;
  bool asked_ = false;
  bool closed_ = false;
  std::uint64_t left_;
  Prng prng_;
  std::vector<std::byte> piece_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  Checksum checksum_;
};

// Asks for the file and takes it, up to the end of the stream.
class DemoClient {
 public:
  DemoClient(Stack& stack, SocketId socket, std::uint64_t bytes)
      : stack_(stack), socket_(socket), buffer_(kPiece), wanted_(bytes) {}

  void Step(Time now) {
    if (ended_) return;
    if (!asked_) {
      const std::string get = fmt::format("GET /{} HTTP/1.0\r\n\r\n", wanted_);
      asked_ = stack_.Send(now, socket_, std::as_bytes(std::span(get))).has_value();
      if (!asked_) return;
    }
    while (true) {
      const auto got = stack_.Read(now, socket_, buffer_);
      if (!got) return;
      if (*got == 0) {
        ended_ = true;
        ended_at_ = now;
        (void)stack_.Close(now, socket_);
        return;
      }
      Take(std::span(buffer_).first(*got));
    }
  }
  bool ended() const { return ended_; }
  Time ended_at() const { return ended_at_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t checksum() const { return checksum_.value(); }
  const std::string& head() const { return head_; }

 private:
  void Take(std::span<const std::byte> data) {
    std::size_t used = 0;
    while (!head_.ends_with("\r\n\r\n") && used < data.size()) {
      head_ += static_cast<char>(data[used++]);
    }
    checksum_.Add(data.subspan(used));
    bytes_ += data.size() - used;
  }

  Stack& stack_;
  SocketId socket_;
  std::vector<std::byte> buffer_;
  std::uint64_t wanted_;
  bool asked_ = false;
  bool ended_ = false;
  Time ended_at_{};
  std::string head_;
  std::uint64_t bytes_ = 0;
  Checksum checksum_;
};

constexpr Parameter kFileParameters[] = {
    {"bytes", "1048576", "the size of the file"},
    {"delay", "1ms", "how long a packet takes, each way"},
    {"rate", "1000", "Mbit/s of the path, each way"},
    {"loss", "0", "packets lost by chance each way, parts per million"},
};

void File(ScenarioContext& ctx) {
  const auto bytes = static_cast<std::uint64_t>(ctx.Number("bytes", 0, std::int64_t{1} << 32));
  const Duration d = ctx.Span("delay", 0ms, 10s);
  for (const Side side : {Side::kA, Side::kB}) {
    PathConfig path;
    path.delay = d;
    path.rate_bps = static_cast<std::uint64_t>(ctx.Number("rate", 1, 1'000'000)) * 1'000'000;
    path.loss_ppm = static_cast<Ppm>(ctx.Number("loss", 0, 200'000));
    ctx.world().path(side).set_config(path);
  }
  SocketOptions options;
  options.send_buffer = 1 << 20;
  options.receive_buffer = 1 << 20;
  const SocketId listener = ctx.b().Listen(kServerPort, 16, options);
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort, options);
  DemoServer server(ctx.b().stack(), listener, bytes);
  DemoClient client(ctx.a().stack(), a, bytes);
  ctx.world().SetStepHook([&] {
    server.Step(ctx.world().now());
    client.Step(ctx.world().now());
  });
  ctx.RunUntilIdle(48h);
  ctx.world().SetStepHook({});
  ctx.Expect(client.ended(), "A has read to the end");
  ctx.Expect(client.head().starts_with("HTTP/1.0 200 OK\r\n"), "the answer is 200 OK");
  ctx.ExpectEqual(client.bytes(), bytes, "every byte has arrived");
  ctx.ExpectEqual(client.checksum(), server.checksum(), "the checksums agree");
  ctx.ExpectState(Side::kA, State::kClosed);
  ctx.ExpectState(Side::kB, State::kClosed);
  const auto took = std::max<std::int64_t>(client.ended_at().time_since_epoch() / 1us, 1);
  ctx.Say(fmt::format("checksum sent {:016x}, received {:016x}: {}", server.checksum(),
                      client.checksum(),
                      client.checksum() == server.checksum() ? "equal" : "NOT EQUAL"));
  ctx.Say(fmt::format("{} bytes in {}.{:03} s of virtual time: {} Mbit/s", client.bytes(),
                      took / 1'000'000, took / 1000 % 1000,
                      client.bytes() * 8 / static_cast<std::uint64_t>(took)));
  ctx.SetDelivered(client.bytes());
  ctx.ExpectNothingLeft();
}

constexpr Scenario kDemoScenarios[] = {
    {"demo/file", "a file is fetched over HTTP, from one estab host to another",
     "A asks B for a file of generated data with an HTTP GET over the in-memory wire. B sends it "
     "and "
     "closes; both sides compute a checksum of what they sent and got.",
     kFileParameters, File},
};

}  // namespace

std::span<const Scenario> DemoScenarios() { return kDemoScenarios; }

}  // namespace estab::sim
