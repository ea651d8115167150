// The two kinds of socket that are compared, behind the calls that both have.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "estab/estab.h"

namespace links {

/// The kernel's.
struct KernelCalls {
  int Socket(int kind) const { return socket(AF_INET, kind, 0); }
  int Bind(int s, const sockaddr_in& a) const {
    return bind(s, reinterpret_cast<const sockaddr*>(&a), sizeof(a));
  }
  int Listen(int s, int backlog) const { return listen(s, backlog); }
  int Accept(int s, int flags) const { return accept4(s, nullptr, nullptr, flags); }
  int Connect(int s, const sockaddr_in& a) const {
    return connect(s, reinterpret_cast<const sockaddr*>(&a), sizeof(a));
  }
  ssize_t Send(int s, const void* p, size_t n) const { return send(s, p, n, MSG_NOSIGNAL); }
  ssize_t Receive(int s, void* p, size_t n) const { return recv(s, p, n, 0); }
  int SetOption(int s, int level, int name, int value) const {
    return setsockopt(s, level, name, &value, sizeof(value));
  }
  int GetOption(int s, int level, int name, int* value) const {
    socklen_t size = sizeof(*value);
    return getsockopt(s, level, name, value, &size);
  }
  int Close(int s) const { return close(s); }
  int EpollCreate() const { return epoll_create1(0); }
  int EpollAdd(int e, int s, uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = s;
    return epoll_ctl(e, EPOLL_CTL_ADD, s, &event);
  }
  int EpollWait(int e, epoll_event* out, int n, int timeout_ms) const {
    return epoll_wait(e, out, n, timeout_ms);
  }
};

/// Those of one estab stack.
struct EstabCalls {
  estab_stack* stack;
  int Socket(int kind) const { return estab_socket(stack, AF_INET, kind, 0); }
  int Bind(int s, const sockaddr_in& a) const {
    return estab_bind(stack, s, reinterpret_cast<const sockaddr*>(&a), sizeof(a));
  }
  int Listen(int s, int backlog) const { return estab_listen(stack, s, backlog); }
  int Accept(int s, int flags) const { return estab_accept4(stack, s, nullptr, nullptr, flags); }
  int Connect(int s, const sockaddr_in& a) const {
    return estab_connect(stack, s, reinterpret_cast<const sockaddr*>(&a), sizeof(a));
  }
  ssize_t Send(int s, const void* p, size_t n) const {
    return estab_send(stack, s, p, n, MSG_NOSIGNAL);
  }
  ssize_t Receive(int s, void* p, size_t n) const { return estab_recv(stack, s, p, n, 0); }
  int SetOption(int s, int level, int name, int value) const {
    return estab_setsockopt(stack, s, level, name, &value, sizeof(value));
  }
  int GetOption(int s, int level, int name, int* value) const {
    socklen_t size = sizeof(*value);
    return estab_getsockopt(stack, s, level, name, value, &size);
  }
  int Close(int s) const { return estab_close(stack, s); }
  int EpollCreate() const { return estab_epoll_create1(stack, 0); }
  int EpollAdd(int e, int s, uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = s;
    return estab_epoll_ctl(stack, e, EPOLL_CTL_ADD, s, &event);
  }
  int EpollWait(int e, epoll_event* out, int n, int timeout_ms) const {
    return estab_epoll_wait(stack, e, out, n, timeout_ms);
  }
};

}  // namespace links
