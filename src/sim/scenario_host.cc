// The calls of a scenario's hosts, each drawn with its result.
#include <utility>
#include <vector>

#include "observe/format.h"
#include "observe/text.h"
#include "sim/scenario.h"

namespace estab::sim {
namespace {

constexpr std::size_t kMostShown = 16;  // bytes of data in a call's text

std::string Quoted(std::string_view data) {
  std::string out = "\"";
  for (const char c : data.substr(0, kMostShown)) {
    const bool plain = c >= ' ' && c < 0x7f && c != '"' && c != '\\';
    out += plain ? c : '.';
  }
  return out + (data.size() > kMostShown ? "...\"" : "\"");
}

const char* HowName(How how) {
  switch (how) {
    case How::kRead:
      return "SHUT_RD";
    case How::kWrite:
      return "SHUT_WR";
    case How::kBoth:
      return "SHUT_RDWR";
  }
  return "";
}

}  // namespace

IpAddress ScenarioHost::address(bool ipv6) const {
  return context_.world_.host(side_).address(ipv6);
}

Stack& ScenarioHost::stack() { return context_.world_.host(side_).stack(); }

bool ScenarioHost::Ready(std::string_view call) {
  if (context_.world_.host(side_).alive()) return true;
  context_.Fail(
      fmt::format("{} was called on {}, which has crashed", call, observe::SideName(side_)));
  return false;
}

// Draws a call that has returned. What it caused is drawn above it only if times differ: so calls
// are begun before and ended after, except where the result comes with nothing else.
template <class T>
void ScenarioHost::Record(std::string text, const Result<T>& result, std::string_view value) {
  const std::size_t call =
      context_.builder_.BeginCall(context_.world_.now(), side_, std::move(text));
  context_.builder_.EndCall(
      call, result ? std::string(value) : std::string(observe::ErrnoName(result.error())));
}

SocketId ScenarioHost::Listen(std::uint16_t port, int backlog, const SocketOptions& options,
                              bool ipv6) {
  if (!Ready("listen")) return {};
  const auto call =
      context_.builder_.BeginCall(context_.world_.now(), side_, fmt::format("listen({})", port));
  const auto listen = [&]() -> Result<SocketId> {
    const auto socket = stack().Open(ipv6);
    if (!socket) return socket;
    handles_.push_back(*socket);
    const Time now = context_.world_.now();
    if (auto r = stack().SetOptions(now, *socket, options); !r) return std::unexpected(r.error());
    const IpAddress any = ipv6 ? IpAddress::AnyV6() : IpAddress::AnyV4();
    if (auto r = stack().Bind(*socket, {any, port}); !r) {
      return std::unexpected(r.error());
    }
    if (auto r = stack().Listen(now, *socket, backlog); !r) return std::unexpected(r.error());
    return socket;
  };
  const Result<SocketId> socket = listen();
  context_.builder_.EndCall(call, socket ? "ok" : std::string(observe::ErrnoName(socket.error())));
  if (socket) return *socket;
  context_.Fail(fmt::format("expected {} to listen at port {}; got {}", observe::SideName(side_),
                            port, observe::ErrnoName(socket.error())));
  return {};
}

SocketId ScenarioHost::Open(bool ipv6) {
  if (!Ready("socket")) return {};
  const auto socket = stack().Open(ipv6);
  if (socket) handles_.push_back(*socket);
  return socket.value_or(SocketId{});
}

Result<void> ScenarioHost::Bind(SocketId socket, const Endpoint& local) {
  if (!Ready("bind")) return std::unexpected(Error::kBadHandle);
  const auto result = stack().Bind(socket, local);
  Record(fmt::format("bind({})", local.port), result, "ok");
  return result;
}

SocketId ScenarioHost::Connect(const ScenarioHost& peer, std::uint16_t port,
                               std::uint16_t local_port, const SocketOptions& options) {
  return Connect(peer.endpoint(port), local_port, options);
}

SocketId ScenarioHost::Connect(const Endpoint& remote, std::uint16_t local_port,
                               const SocketOptions& options) {
  if (!Ready("connect")) return {};
  const auto socket = stack().Open(!remote.address.is_v4());
  if (!socket || !stack().SetOptions(context_.world_.now(), *socket, options)) {
    context_.Fail(fmt::format("{} has no socket to connect with", observe::SideName(side_)));
    return {};
  }
  handles_.push_back(*socket);
  return ConnectFrom(*socket, remote, local_port);
}

SocketId ScenarioHost::ConnectFrom(SocketId socket, const Endpoint& remote,
                                   std::uint16_t local_port) {
  if (local_port != 0) {
    const auto bound = stack().Bind(socket, endpoint(local_port, !remote.address.is_v4()));
    if (!bound) Record(fmt::format("bind({})", local_port), bound, "ok");
  }
  (void)ConnectAgain(socket, remote);
  return socket;
}

Result<void> ScenarioHost::ConnectAgain(SocketId socket, const Endpoint& remote) {
  if (!Ready("connect")) return std::unexpected(Error::kBadHandle);
  const auto call = context_.builder_.BeginCall(
      context_.world_.now(), side_, fmt::format("connect({})", observe::EndpointText(remote)));
  const auto result = stack().Connect(context_.world_.now(), socket, remote);
  context_.builder_.EndCall(call, result ? "ok" : std::string(observe::ErrnoName(result.error())));
  return result;
}

Result<SocketId> ScenarioHost::Accept(SocketId listener) {
  if (!Ready("accept")) return std::unexpected(Error::kBadHandle);
  const auto result = stack().Accept(context_.world_.now(), listener);
  Record("accept()", result, "ok");
  if (result) handles_.push_back(*result);
  return result;
}

SocketId ScenarioHost::MustAccept(SocketId listener) {
  const auto result = Accept(listener);
  if (result) return *result;
  context_.Fail(fmt::format("expected a connection to accept at {}, {}; got {}",
                            observe::SideName(side_), context_.When(),
                            observe::ErrnoName(result.error())));
  return {};
}

Result<std::size_t> ScenarioHost::Send(SocketId socket, std::string_view data) {
  if (!Ready("send")) return std::unexpected(Error::kBadHandle);
  const auto call = context_.builder_.BeginCall(context_.world_.now(), side_,
                                                fmt::format("send({})", Quoted(data)));
  const auto result = stack().Send(context_.world_.now(), socket,
                                   std::as_bytes(std::span(data.data(), data.size())));
  context_.builder_.EndCall(call, result ? observe::Counted(*result, "byte")
                                         : std::string(observe::ErrnoName(result.error())));
  return result;
}

Result<std::string> ScenarioHost::Read(SocketId socket, std::size_t most) {
  if (!Ready("recv")) return std::unexpected(Error::kBadHandle);
  std::string data(most, '\0');
  const auto result = stack().Read(context_.world_.now(), socket,
                                   std::as_writable_bytes(std::span(data.data(), data.size())));
  std::string value;
  if (result) {
    data.resize(*result);
    value = data.empty() ? "0 (end of stream)" : Quoted(data);
  }
  Record("recv()", result, value);
  if (!result) return std::unexpected(result.error());
  return data;
}

Result<void> ScenarioHost::Shutdown(SocketId socket, How how) {
  if (!Ready("shutdown")) return std::unexpected(Error::kBadHandle);
  const auto call = context_.builder_.BeginCall(context_.world_.now(), side_,
                                                fmt::format("shutdown({})", HowName(how)));
  const auto result = stack().Shutdown(context_.world_.now(), socket, how);
  context_.builder_.EndCall(call, result ? "ok" : std::string(observe::ErrnoName(result.error())));
  return result;
}

Result<void> ScenarioHost::Close(SocketId socket) {
  if (!Ready("close")) return std::unexpected(Error::kBadHandle);
  const auto call = context_.builder_.BeginCall(context_.world_.now(), side_, "close()");
  const auto result = stack().Close(context_.world_.now(), socket);
  context_.builder_.EndCall(call, result ? "ok" : std::string(observe::ErrnoName(result.error())));
  return result;
}

Result<void> ScenarioHost::Abort(SocketId socket) {
  if (!Ready("abort")) return std::unexpected(Error::kBadHandle);
  const auto call = context_.builder_.BeginCall(context_.world_.now(), side_, "abort()");
  const auto result = stack().Abort(context_.world_.now(), socket);
  context_.builder_.EndCall(call, result ? "ok" : std::string(observe::ErrnoName(result.error())));
  return result;
}

Result<void> ScenarioHost::SetOptions(SocketId socket, const SocketOptions& options) {
  if (!Ready("setsockopt")) return std::unexpected(Error::kBadHandle);
  return stack().SetOptions(context_.world_.now(), socket, options);
}

std::optional<Error> ScenarioHost::TakeError(SocketId socket) {
  if (!Ready("getsockopt")) return std::nullopt;
  const auto result = stack().TakeError(socket);
  if (!result) return result.error();
  Record("getsockopt(SO_ERROR)", result, *result ? observe::ErrnoName(**result) : "0");
  return *result;
}

State ScenarioHost::state(SocketId socket) {
  if (!context_.world_.host(side_).alive()) return State::kClosed;
  const auto info = stack().GetInfo(context_.world_.now(), socket);
  return info ? info->state : State::kClosed;
}

void ScenarioHost::Set(std::string_view name, std::string_view value) {
  const auto done = context_.world_.host(side_).Set(name, value);
  if (!done) {
    context_.Fail(fmt::format("setting {}={}: {}", name, value, Describe(done.error())));
  }
}

void ScenarioHost::Crash() {
  played_ = false;
  context_.world_.host(side_).Crash();
  handles_.clear();
  context_.builder_.LoseStates(context_.world_.now(), side_, "crash",
                               "the host is gone, and all it knew with it");
  context_.trackers_[Index(side_)].Forget();
}

void ScenarioHost::Restart() {
  if (context_.world_.host(side_).alive()) Crash();
  context_.world_.host(side_).Restart();
  context_.Note("restarts", side_);
}

}  // namespace estab::sim
