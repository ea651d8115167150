// The same calls on the kernel's sockets and on estab's, and the answers side by side.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "estab/estab.h"

namespace estab_test {

/// POSIX's socket calls, whoever answers them. Addresses: 4 and 6 are the machine's own.
class Machine {
 public:
  virtual ~Machine() = default;
  virtual int socket(int domain, int type, int protocol) = 0;
  virtual int bind(int s, const sockaddr* a, socklen_t n) = 0;
  virtual int listen(int s, int backlog) = 0;
  virtual int accept4(int s, sockaddr* a, socklen_t* n, int flags) = 0;
  virtual int connect(int s, const sockaddr* a, socklen_t n) = 0;
  virtual ssize_t send(int s, const void* p, size_t n, int flags) = 0;
  virtual ssize_t recv(int s, void* p, size_t n, int flags) = 0;
  virtual ssize_t sendto(int s, const void* p, size_t n, int flags, const sockaddr* a,
                         socklen_t al) = 0;
  virtual ssize_t recvfrom(int s, void* p, size_t n, int flags, sockaddr* a, socklen_t* al) = 0;
  virtual ssize_t sendmsg(int s, const msghdr* m, int flags) = 0;
  virtual ssize_t recvmsg(int s, msghdr* m, int flags) = 0;
  virtual ssize_t read(int s, void* p, size_t n) = 0;
  virtual ssize_t write(int s, const void* p, size_t n) = 0;
  virtual ssize_t readv(int s, const iovec* v, int n) = 0;
  virtual ssize_t writev(int s, const iovec* v, int n) = 0;
  virtual int shutdown(int s, int how) = 0;
  virtual int close(int s) = 0;
  virtual int setsockopt(int s, int level, int name, const void* v, socklen_t n) = 0;
  virtual int getsockopt(int s, int level, int name, void* v, socklen_t* n) = 0;
  virtual int getsockname(int s, sockaddr* a, socklen_t* n) = 0;
  virtual int getpeername(int s, sockaddr* a, socklen_t* n) = 0;
  virtual int poll(pollfd* fds, nfds_t n, int ms) = 0;
  virtual int fcntl(int s, int command, long argument) = 0;
  virtual int ioctl(int s, unsigned long request, void* argument) = 0;
  virtual int epoll_create1(int flags) = 0;
  virtual int epoll_ctl(int e, int operation, int s, epoll_event* event) = 0;
  virtual int epoll_wait(int e, epoll_event* events, int n, int ms) = 0;

  virtual const char* own4() const = 0;
  virtual const char* own6() const = 0;
  /// Until what was sent has arrived.
  virtual void Settle() = 0;
};

/// The kernel's, over the loopback interface of this process's own namespace.
class Kernel final : public Machine {
 public:
#define CALL(type, name, params, args) \
  type name params override { return ::name args; }
  CALL(int, socket, (int d, int t, int p), (d, t, p))
  CALL(int, bind, (int s, const sockaddr* a, socklen_t n), (s, a, n))
  CALL(int, listen, (int s, int b), (s, b))
  CALL(int, accept4, (int s, sockaddr* a, socklen_t* n, int f), (s, a, n, f))
  CALL(int, connect, (int s, const sockaddr* a, socklen_t n), (s, a, n))
  CALL(ssize_t, send, (int s, const void* p, size_t n, int f), (s, p, n, f | MSG_NOSIGNAL))
  CALL(ssize_t, recv, (int s, void* p, size_t n, int f), (s, p, n, f))
  CALL(ssize_t, sendto, (int s, const void* p, size_t n, int f, const sockaddr* a, socklen_t al),
       (s, p, n, f | MSG_NOSIGNAL, a, al))
  CALL(ssize_t, recvfrom, (int s, void* p, size_t n, int f, sockaddr* a, socklen_t* al),
       (s, p, n, f, a, al))
  CALL(ssize_t, sendmsg, (int s, const msghdr* m, int f), (s, m, f | MSG_NOSIGNAL))
  CALL(ssize_t, recvmsg, (int s, msghdr* m, int f), (s, m, f))
  CALL(ssize_t, read, (int s, void* p, size_t n), (s, p, n))
  CALL(ssize_t, write, (int s, const void* p, size_t n), (s, p, n))
  CALL(ssize_t, readv, (int s, const iovec* v, int n), (s, v, n))
  CALL(ssize_t, writev, (int s, const iovec* v, int n), (s, v, n))
  CALL(int, shutdown, (int s, int how), (s, how))
  CALL(int, close, (int s), (s))
  CALL(int, setsockopt, (int s, int l, int o, const void* v, socklen_t n), (s, l, o, v, n))
  CALL(int, getsockopt, (int s, int l, int o, void* v, socklen_t* n), (s, l, o, v, n))
  CALL(int, getsockname, (int s, sockaddr* a, socklen_t* n), (s, a, n))
  CALL(int, getpeername, (int s, sockaddr* a, socklen_t* n), (s, a, n))
  CALL(int, poll, (pollfd * f, nfds_t n, int ms), (f, n, ms))
  CALL(int, fcntl, (int s, int c, long a), (s, c, a))
  CALL(int, ioctl, (int s, unsigned long r, void* a), (s, r, a))
  CALL(int, epoll_create1, (int f), (f))
  CALL(int, epoll_ctl, (int e, int o, int s, epoll_event* v), (e, o, s, v))
  CALL(int, epoll_wait, (int e, epoll_event* v, int n, int ms), (e, v, n, ms))
#undef CALL
  const char* own4() const override { return "127.0.0.1"; }
  const char* own6() const override { return "::1"; }
  void Settle() override { usleep(2000); }
};

/// estab's, over its way from itself to itself, in virtual time, with the profile `linux`.
class Ours final : public Machine {
 public:
  Ours() : stack_(estab_stack_create()) {
    EXPECT_EQ(estab_clock_virtual(stack_), 0);
    EXPECT_EQ(estab_sysctl_set(stack_, "estab.profile", "linux"), 0);
    const int link = estab_link_memory(stack_, 65535);
    EXPECT_EQ(estab_address_add(stack_, link, "192.0.2.1/24"), 0);
    EXPECT_EQ(estab_address_add(stack_, link, "2001:db8::1/64"), 0);
  }
  ~Ours() override { estab_stack_destroy(stack_); }
#define CALL(type, name, params, ...) \
  type name params override { return estab_##name(stack_, __VA_ARGS__); }
  CALL(int, socket, (int d, int t, int p), d, t, p)
  CALL(int, bind, (int s, const sockaddr* a, socklen_t n), s, a, n)
  CALL(int, listen, (int s, int b), s, b)
  CALL(int, accept4, (int s, sockaddr* a, socklen_t* n, int f), s, a, n, f)
  CALL(int, connect, (int s, const sockaddr* a, socklen_t n), s, a, n)
  CALL(ssize_t, send, (int s, const void* p, size_t n, int f), s, p, n, f)
  CALL(ssize_t, recv, (int s, void* p, size_t n, int f), s, p, n, f)
  CALL(ssize_t, sendto, (int s, const void* p, size_t n, int f, const sockaddr* a, socklen_t al), s,
       p, n, f, a, al)
  CALL(ssize_t, recvfrom, (int s, void* p, size_t n, int f, sockaddr* a, socklen_t* al), s, p, n, f,
       a, al)
  CALL(ssize_t, sendmsg, (int s, const msghdr* m, int f), s, m, f)
  CALL(ssize_t, recvmsg, (int s, msghdr* m, int f), s, m, f)
  CALL(ssize_t, read, (int s, void* p, size_t n), s, p, n)
  CALL(ssize_t, write, (int s, const void* p, size_t n), s, p, n)
  CALL(ssize_t, readv, (int s, const iovec* v, int n), s, v, n)
  CALL(ssize_t, writev, (int s, const iovec* v, int n), s, v, n)
  CALL(int, shutdown, (int s, int how), s, how)
  CALL(int, close, (int s), s)
  CALL(int, setsockopt, (int s, int l, int o, const void* v, socklen_t n), s, l, o, v, n)
  CALL(int, getsockopt, (int s, int l, int o, void* v, socklen_t* n), s, l, o, v, n)
  CALL(int, getsockname, (int s, sockaddr* a, socklen_t* n), s, a, n)
  CALL(int, getpeername, (int s, sockaddr* a, socklen_t* n), s, a, n)
  CALL(int, poll, (pollfd * f, nfds_t n, int ms), f, n, ms)
  CALL(int, fcntl, (int s, int c, long a), s, c, a)
  CALL(int, ioctl, (int s, unsigned long r, void* a), s, r, a)
  CALL(int, epoll_create1, (int f), f)
  CALL(int, epoll_ctl, (int e, int o, int s, epoll_event* v), e, o, s, v)
  CALL(int, epoll_wait, (int e, epoll_event* v, int n, int ms), e, v, n, ms)
#undef CALL
  const char* own4() const override { return "192.0.2.1"; }
  const char* own6() const override { return "2001:db8::1"; }
  void Settle() override { EXPECT_EQ(estab_clock_advance(stack_, 1'000'000), 0); }

 private:
  estab_stack* stack_;
};

/// One run of a script on one machine: every call and its answer, as a line.
class Play {
 public:
  Play(Machine& machine, std::uint16_t port) : m(machine), port_(port) {}
  ~Play() {
    for (int fd : open_) m.close(fd);
  }
  Play(const Play&) = delete;
  Play& operator=(const Play&) = delete;

  Machine& m;
  std::vector<std::string> lines;

  /// Writes down a call that answers with a number, or -1 and errno.
  template <class Value>
  Value Note(const std::string& call, Value value) {
    const int error = errno;
    lines.push_back(call + " = " + (value < 0 ? ErrorName(error) : std::to_string(value)));
    return value;
  }
  /// Writes down something else.
  void Say(const std::string& line) { lines.push_back(line); }

  /// A new socket, non-blocking; closed at the end.
  int Tcp(int domain = AF_INET) { return Keep(m.socket(domain, SOCK_STREAM | SOCK_NONBLOCK, 0)); }
  int Keep(int fd) {
    EXPECT_GE(fd, 0) << std::strerror(errno);
    open_.push_back(fd);
    return fd;
  }
  int Close(int fd) {
    std::erase(open_, fd);
    const int result = m.close(fd);
    const int error = errno;
    m.Settle();
    errno = error;
    return result;
  }
  /// Our own address; port 0 means the script's port + `offset`.
  sockaddr_in Own(int offset = 0) const { return In(m.own4(), port_ + offset); }
  sockaddr_in Any(int offset = 0) const { return In("0.0.0.0", port_ + offset); }
  sockaddr_in6 Own6(int offset = 0) const { return In6(m.own6(), port_ + offset); }
  sockaddr_in6 Any6(int offset = 0) const { return In6("::", port_ + offset); }
  static sockaddr_in In(const char* text, int port) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(static_cast<std::uint16_t>(port));
    inet_pton(AF_INET, text, &in.sin_addr);
    return in;
  }
  static sockaddr_in6 In6(const char* text, int port) {
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(static_cast<std::uint16_t>(port));
    inet_pton(AF_INET6, text, &in6.sin6_addr);
    return in6;
  }
  template <class Address>
  int Bind(int s, const Address& a) {
    return m.bind(s, reinterpret_cast<const sockaddr*>(&a), sizeof(a));
  }
  template <class Address>
  int Connect(int s, const Address& a) {
    const int result = m.connect(s, reinterpret_cast<const sockaddr*>(&a), sizeof(a));
    const int error = errno;
    m.Settle();
    errno = error;
    return result;
  }
  int Disconnect(int s) {
    const sockaddr none{};
    return m.connect(s, &none, sizeof(none));
  }
  int Accept(int s) {
    const int fd = m.accept4(s, nullptr, nullptr, SOCK_NONBLOCK);
    if (fd >= 0) open_.push_back(fd);
    return fd < 0 ? fd : 0;
  }
  int Last() const { return open_.back(); }
  ssize_t Send(int s, const std::string& text, int flags = 0) {
    const ssize_t n = m.send(s, text.data(), text.size(), flags);
    const int error = errno;
    m.Settle();
    errno = error;
    return n;
  }
  int Set(int s, int level, int name, int value) {
    return m.setsockopt(s, level, name, &value, sizeof(value));
  }
  /// The value, or -1 (also for a value that is -1).
  int Get(int s, int level, int name) {
    int value = 0;
    socklen_t size = sizeof(value);
    return m.getsockopt(s, level, name, &value, &size) < 0 ? -1 : value;
  }
  int Count(int s, unsigned long request) {
    int value = -7;
    return m.ioctl(s, request, &value) < 0 ? -1 : value;
  }
  void Reset(int s) {
    const linger abort_on_close{1, 0};
    m.setsockopt(s, SOL_SOCKET, SO_LINGER, &abort_on_close, sizeof(abort_on_close));
    Close(s);
  }

  /// Writes down poll's bits and epoll's, which must be the same.
  void Bits(const std::string& when, int s) {
    constexpr int kAll =
        POLLIN | POLLPRI | POLLOUT | POLLRDHUP | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND;
    pollfd fd{s, kAll, 0};
    m.poll(&fd, 1, 0);
    lines.push_back("poll " + when + " = " + BitNames(static_cast<unsigned>(fd.revents)));
    const int e = m.epoll_create1(0);
    epoll_event event{kAll, {}};
    m.epoll_ctl(e, EPOLL_CTL_ADD, s, &event);
    epoll_event got{};
    m.epoll_wait(e, &got, 1, 0);
    m.close(e);
    lines.push_back("epoll " + when + " = " + BitNames(got.events));
  }
  /// Writes down what recv gives.
  void Receive(const std::string& when, int s, std::size_t size = 100, int flags = 0) {
    std::string text(size, '.');
    const ssize_t n = m.recv(s, text.data(), size, flags);
    const int error = errno;
    lines.push_back("recv " + when + " = " +
                    (n < 0
                         ? ErrorName(error)
                         : std::to_string(n) + " '" +
                               text.substr(0, std::min(size, static_cast<std::size_t>(n))) + "'"));
    m.Settle();
  }

  struct Two {
    int listener, client, server;
  };
  /// A connection to ourselves.
  Two Connected(int offset = 0) {
    Two two{};
    two.listener = Tcp();
    Set(two.listener, SOL_SOCKET, SO_REUSEADDR, 1);
    EXPECT_EQ(Bind(two.listener, Own(offset)), 0) << std::strerror(errno);
    EXPECT_EQ(m.listen(two.listener, 8), 0);
    two.client = Tcp();
    Connect(two.client, Own(offset));
    EXPECT_EQ(Accept(two.listener), 0) << std::strerror(errno);
    two.server = Last();
    return two;
  }

  static std::string ErrorName(int error) {
    const char* name = strerrorname_np(error);
    return name != nullptr ? name : std::to_string(error);
  }
  static std::string BitNames(unsigned bits) {
    static constexpr struct {
      unsigned bit;
      const char* name;
    } kNames[] = {{POLLIN, "IN"},         {POLLPRI, "PRI"},       {POLLOUT, "OUT"},
                  {POLLERR, "ERR"},       {POLLHUP, "HUP"},       {POLLNVAL, "NVAL"},
                  {POLLRDNORM, "RDNORM"}, {POLLRDBAND, "RDBAND"}, {POLLWRNORM, "WRNORM"},
                  {POLLWRBAND, "WRBAND"}, {POLLRDHUP, "RDHUP"}};
    std::string text;
    for (const auto& [bit, name] : kNames) {
      if ((bits & bit) != 0) text += (text.empty() ? "" : "|") + std::string(name);
      bits &= ~bit;
    }
    if (bits != 0) text += "|" + std::to_string(bits);
    return text.empty() ? "none" : text;
  }

 private:
  std::uint16_t port_;
  std::vector<int> open_;
};

}  // namespace estab_test
