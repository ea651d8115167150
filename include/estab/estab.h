/* estab's C interface: a TCP/IP host inside the process, with sockets as people know them.
 *
 * A stack is a whole host: its own links, addresses, routes, ports and connections. Functions take
 * it as their first argument; apart from that the socket functions are POSIX's, with Linux's
 * constants, structures and error numbers, and follow Linux wherever POSIX leaves a choice.
 *
 * Conventions, for every function unless its comment says otherwise:
 *  - Failure is -1 (NULL for pointers) with errno set. A NULL stack is EFAULT. ENOMEM is possible
 *    everywhere.
 *  - Every function may be called from every thread; one mutex per stack is behind them. It is not
 *    held while a call waits. Different stacks share nothing.
 *  - Times are nanoseconds of the stack's clock, sizes are bytes.
 *  - Socket handles are small non-negative integers, the lowest free one first, private to their
 *    stack. They are not file descriptors: read(), poll() and close() of the C library do not know
 *    them.
 *  - A call that waits ("blocking") does so until another thread injects a packet, runs the I/O
 *    (estab_poll_io) or advances the clock. With the real clock a waiting call runs the I/O and the
 *    timers itself. It is not ended by signals (EINTR does not occur) nor by estab_close of its
 *    handle in another thread, as on Linux.
 *  - A program of one thread with the virtual clock must therefore not wait: nobody else would
 *    advance the time. It opens its sockets with SOCK_NONBLOCK and uses timeouts of 0.
 *  - No function raises a signal; SIGPIPE does not exist here.
 *  - What is not supported fails (ENOPROTOOPT, EOPNOTSUPP, ENOSYS); nothing is accepted
 *    and ignored.
 */
#ifndef ESTAB_ESTAB_H_
#define ESTAB_ESTAB_H_

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#if defined(__GNUC__)
#define ESTAB_API __attribute__((visibility("default")))
#else
#define ESTAB_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A TCP/IP host. */
typedef struct estab_stack estab_stack;

struct epoll_event; /* of <sys/epoll.h> */

/* ---- Stacks, settings, time ------------------------------------------------------------------ */

/* A new stack without links, on the real clock (CLOCK_MONOTONIC), with 32 bytes of the system's
 * randomness as its secret (for runs that repeat: the setting estab.seed). NULL: ENOMEM, EMFILE, or
 * EIO if the system has no randomness. */
ESTAB_API estab_stack* estab_stack_create(void);

/* Ends a stack. Calls that wait in it return -1 with EBADF first. Its connections are then reset
 * (one RST each leaves over the links that are operated here), unless the setting estab.destroy is
 * "silent". No call may begin once this one has begun. NULL: nothing happens. */
ESTAB_API void estab_stack_destroy(estab_stack* stack);

/* Sets a setting by its Linux name, e.g. ("net.ipv4.tcp_syn_retries", "3"); docs/settings.md lists
 * them all, with units. ENOENT: no such setting; EINVAL: not a value of it; EBUSY: it holds from
 * the start and traffic has begun. */
ESTAB_API int estab_sysctl_set(estab_stack* stack, const char* name, const char* value);

/* Writes a setting's value as text with a terminating NUL into value[0..cap). ENOENT; ERANGE: cap
 * is too small (128 always suffices). Returns 0. */
ESTAB_API int estab_sysctl_get(estab_stack* stack, const char* name, char* value, size_t cap);

/* Changes to virtual time: it stands still until estab_clock_advance, and every timeout of every
 * call counts it. It starts at 0, or, if the stack has been told a time already (a listen, say),
 * there. Again: nothing happens. EBUSY: a packet has passed, or a call is waiting. */
ESTAB_API int estab_clock_virtual(estab_stack* stack);

/* The time, in ns: CLOCK_MONOTONIC, or virtual time. 0 with EFAULT for a NULL stack. */
ESTAB_API uint64_t estab_clock_now(estab_stack* stack);

/* Lets `ns` of virtual time pass. Due timers fire in order, each at its own moment; what they send
 * is in the links' queues with that moment as its time. Waiting calls whose timeout runs out on the
 * way return (in their own threads) before time goes on. EINVAL: the clock is real, or time would
 * overflow. */
ESTAB_API int estab_clock_advance(estab_stack* stack, uint64_t ns);

/* ns from now to the stack's next timer (0: it is due); -1 if there is none (errno is then 0). */
ESTAB_API int64_t estab_next_deadline(estab_stack* stack);

/* ---- Links, addresses, routes ---------------------------------------------------------------- */

/* Adds a link whose wire is estab_wire_inject and estab_wire_collect. `mtu` is the largest IP
 * packet, 576 to 65535 (IPv6 needs 1280). Returns its id. EINVAL; ENOBUFS: more than 16 links. */
ESTAB_API int estab_link_memory(estab_stack* stack, int mtu);

/* Gives the stack one IP packet that arrived over a memory link. What it causes has happened when
 * the call returns: answers are in the queue, waiting calls are woken. A packet that makes no sense
 * is counted and dropped like on a wire: that is not an error. EINVAL: no such memory link. Returns
 * 0. */
ESTAB_API int estab_wire_inject(estab_stack* stack, int link, const void* ip_packet, size_t len);

/* Takes the next packet that left over a memory link and returns its size; 0 if there is none.
 * EMSGSIZE: it is larger than cap, and stays. EINVAL: no such memory link. The queue holds 65536
 * packets or 64 MiB; while it is full the stack holds its packets back. */
ESTAB_API ssize_t estab_wire_collect(estab_stack* stack, int link, void* buf, size_t cap);

/* The same; *ns becomes the time at which it left. ns may be NULL. */
ESTAB_API ssize_t estab_wire_collect_at(estab_stack* stack, int link, void* buf, size_t cap,
                                        uint64_t* ns);

/* Whether output is pulled. Off (0, as at first): what a call or a packet causes leaves at once, as
 * from a kernel. On: it leaves when somebody asks for it, by estab_wire_collect, estab_poll_io,
 * estab_clock_advance or estab_next_deadline, or when a call waits. Until then it can become fewer
 * packets: an ACK goes with the answer to what it acknowledges, small sends in one segment. Meant
 * for event loops that inject what came, let the program answer, and collect. Returns 0. */
ESTAB_API int estab_pull_output(estab_stack* stack, int on);

/* Adds a link over the TUN device `name` (attached to if it exists, otherwise made; it must be
 * brought up by whoever administers the machine). Its MTU is the device's at this moment. Returns
 * the link's id. ENOENT: no /dev/net/tun; EPERM; EBUSY: another program has it; EINVAL: the name, a
 * device that is not a TUN, or an MTU under 576. */
ESTAB_API int estab_link_tun(estab_stack* stack, const char* name);

/* The same over a TAP device: Ethernet. The stack is a station of its own there, with an address
 * made up anew; it answers ARP and neighbour solicitations for its addresses, and asks for whom it
 * sends to: hosts of its prefixes, and the next hops of its routes. A neighbour that does not
 * answer is EHOSTUNREACH after 3 s. */
ESTAB_API int estab_link_tap(estab_stack* stack, const char* name);

/* The same over a network device of the kernel's, by AF_PACKET: `device` is its name ("eth0"). It
 * must be Ethernet, and is not made. The stack shares the device's Ethernet address with the
 * kernel: give it addresses that the kernel does not have, and let the kernel not forward packets
 * there (net.ipv4.conf.DEVICE.forwarding); then the kernel ignores what is for the stack.
 * "eth0,blocks" reads from a ring of blocks (TPACKET_V3): fewer calls when very many small packets
 * come, and up to a millisecond more latency. Needs CAP_NET_RAW. ENOENT: no such device; EPERM;
 * EINVAL: no Ethernet, no such option, or an MTU that will not do. */
ESTAB_API int estab_link_packet(estab_stack* stack, const char* device);

/* The same by AF_XDP, past the kernel's stack: all that comes by one queue of the device is the
 * stack's, and the kernel sees nothing of it. Behind the device's name options may stand, each
 * after a comma: "mode=native" (in the driver) or "mode=generic" (in every device), "copy" or
 * "zerocopy", "queue=N" (0). What is left open is taken as well as it can be had. A frame is one
 * packet: the kernel at the other end of a veth is to send no super-segments (ethtool -K PEER tso
 * off; over a native link it sends none anyway). Checksums that it leaves to hardware are known by
 * what it put there, and taken as good. The program in the kernel goes with the stack, or the
 * process. Needs libxdp, CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW. ENOENT: no such device, or no
 * libxdp; EPERM; EBUSY: another program has the device or queue; EINVAL: no Ethernet, no such
 * option or queue, or an MTU over 3826; EOPNOTSUPP: not with this device. */
ESTAB_API int estab_link_xdp(estab_stack* stack, const char* device);

/* Whether calls that wait, estab_poll_io among them, look at the links over and over (on is not 0)
 * instead of sleeping (0, as at first): packets are seen sooner, and a core is busy all the time.
 * EPERM: an AF_XDP link's queue is polled, too, which needs CAP_NET_ADMIN. Returns 0. */
ESTAB_API int estab_busy_poll(estab_stack* stack, int on);

/* Runs the I/O once: reads what arrived, fires due timers, writes what is to be sent; if there was
 * nothing to do, waits up to timeout_ms (-1: without limit, 0: not at all) for packets, timers or
 * another thread's call. Returns the number of packets moved, in and out; 0 is not an error. With
 * the virtual clock no timer fires, the timeout counts real time, and without a link over a device
 * it returns at once. EIO: nothing moved, and a device was removed while the stack had it. */
ESTAB_API int estab_poll_io(estab_stack* stack, int timeout_ms);

/* Gives a link an address, e.g. "192.0.2.2/24" or "2001:db8::2/64"; its prefix is routed over the
 * link. EINVAL: text or link; EADDRINUSE: the stack has it already; ENOBUFS. */
ESTAB_API int estab_address_add(estab_stack* stack, int link, const char* cidr);

/* Routes a destination ("0.0.0.0/0", "2001:db8:1::/48") over a link, by way of the next hop `via`
 * unless NULL. The longest prefix wins. EINVAL, ENOBUFS. */
ESTAB_API int estab_route_add(estab_stack* stack, int link, const char* cidr,
                              const char* via_or_null);

/* ---- Why ------------------------------------------------------------------------------------- */

/* Writes the story of a socket's connection (or its last one) as text (UTF-8): who it is, its state
 * and why, what it waits for, which timer runs out next and what that will do; then every change of
 * state with its time, cause, rule and the section that this rests on. Returns the text's length
 * without the NUL; if that is not below cap the text was cut to cap - 1 bytes (like snprintf; a NUL
 * ends it if cap > 0). EBADF. */
ESTAB_API ssize_t estab_why(estab_stack* stack, int socket, char* buf, size_t cap);

/* The same for the youngest connection between two ends, dead ones, half-open records and those in
 * TIME_WAIT included. If there was none: what became of segments that were refused there, and
 * whether somebody listens. With a remote of all zeros and port 0: the listener at `local`. Both
 * addresses have `len` bytes and are of one family. EINVAL, EAFNOSUPPORT. */
ESTAB_API ssize_t estab_why_tuple(estab_stack* stack, const struct sockaddr* local,
                                  const struct sockaddr* remote, socklen_t len, char* buf,
                                  size_t cap);

/* ---- Sockets --------------------------------------------------------------------------------- */

/* A new socket. domain: AF_INET or AF_INET6 (dual-stack unless IPV6_V6ONLY; IPv4 peers appear as
 * ::ffff:a.b.c.d). type: SOCK_STREAM, with SOCK_NONBLOCK and SOCK_CLOEXEC. protocol: 0 or
 * IPPROTO_TCP. EAFNOSUPPORT; ESOCKTNOSUPPORT: a type that is not there; EPROTONOSUPPORT; EINVAL:
 * unknown flags; EMFILE: 1048576 handles are open. */
ESTAB_API int estab_socket(estab_stack* stack, int domain, int type, int protocol);

/* Gives a socket its local address; port 0 chooses one. EADDRNOTAVAIL: not an address of the stack;
 * EADDRINUSE; EINVAL: it is bound already, or the length; EAFNOSUPPORT. */
ESTAB_API int estab_bind(estab_stack* stack, int s, const struct sockaddr* address,
                         socklen_t length);

/* Makes it a listener. The accept queue holds min(backlog, net.core.somaxconn) + 1 connections; a
 * negative backlog means the most, as on Linux. On a listener: changes the backlog. An unbound
 * socket gets a port. EINVAL: it is connected or connecting; EADDRINUSE. */
ESTAB_API int estab_listen(estab_stack* stack, int s, int backlog);

/* Takes the oldest completed connection. Waits up to SO_RCVTIMEO unless O_NONBLOCK (EAGAIN). The
 * peer's address is written as getpeername does, unless `address` is NULL. flags: SOCK_NONBLOCK,
 * SOCK_CLOEXEC. The new socket inherits the listener's options, but not O_NONBLOCK. EINVAL: not
 * listening, or unknown flags; EMFILE. */
ESTAB_API int estab_accept4(estab_stack* stack, int s, struct sockaddr* address, socklen_t* length,
                            int flags);

/* Connects, and waits until that has succeeded or failed: ECONNREFUSED, ETIMEDOUT, ENETUNREACH,
 * EHOSTUNREACH, ... With O_NONBLOCK: EINPROGRESS; poll for POLLOUT, then ask SO_ERROR. While an
 * attempt is under way: EALREADY (blocking: waits for it); connected: EISCONN; EADDRNOTAVAIL: no
 * port is left; listening: EISCONN, as on Linux. After a failure the socket may connect again.
 * SO_SNDTIMEO or SO_RCVTIMEO: ETIMEDOUT in time, and the attempt is given up; a SYN|ACK that comes
 * later meets a reset. (Linux leaves the attempt running and knows no SO_RCVTIMEO here.) AF_UNSPEC
 * ends the connection, or the listening, by a reset; the socket is then as new (bind to a port and
 * options stay). */
ESTAB_API int estab_connect(estab_stack* stack, int s, const struct sockaddr* address,
                            socklen_t length);

/* Queues bytes for sending. A blocking call waits until all of them are queued, or SO_SNDTIMEO has
 * run out; O_NONBLOCK or MSG_DONTWAIT queues what fits. Returns how many were queued; if none:
 * EAGAIN. EPIPE: the sending side is closed, or was never connected; ECONNRESET, ETIMEDOUT, ...:
 * how the connection ended, told once. flags: MSG_DONTWAIT, MSG_NOSIGNAL, MSG_MORE (a segment that
 * is not full waits for more: until the next send without it, an ACK, or an RTO), MSG_OOB (the last
 * byte is urgent, RFC 6093), MSG_DONTROUTE (which to TCP means nothing); others EOPNOTSUPP.
 *
 * MSG_ZEROCOPY, on a socket with SO_ZEROCOPY (without, it is ignored, as on Linux for TCP): the
 * bytes are sent, and sent again if they are lost, from where they lie. They must stay there,
 * unchanged, until the error queue names the call (see estab_recvmsg), or the socket's last handle
 * is closed: what is not acknowledged then is copied first (without memory for that the connection
 * is reset). Calls that take at least one byte are counted, from 0. They count against SO_SNDBUF
 * like others. Worth it from some 10 KiB. ENOBUFS: calls under way and notices not fetched would
 * take more than 128 KiB at 576 bytes each (Linux's default of net.core.optmem_max, which cannot be
 * set here); calls in a row count once for up to 512 KiB. Not with MSG_FASTOPEN (EOPNOTSUPP). */
ESTAB_API ssize_t estab_send(estab_stack* stack, int s, const void* data, size_t size, int flags);

/* Takes bytes that arrived. Waits for at least one (with MSG_WAITALL for all of them), the end of
 * the stream, an error or SO_RCVTIMEO; O_NONBLOCK or MSG_DONTWAIT: EAGAIN. Returns 0 at the end of
 * the stream and for size 0. ENOTCONN; ECONNRESET, ...: once, after the data that came before.
 * flags: MSG_DONTWAIT, MSG_PEEK (leaves the bytes), MSG_WAITALL, MSG_TRUNC (drops the bytes; data
 * may be NULL), MSG_OOB (the urgent byte; never waits. EINVAL: there is none, it was read, or
 * SO_OOBINLINE; EAGAIN: it was announced and has not come), MSG_NOSIGNAL, MSG_CMSG_CLOEXEC,
 * MSG_ERRQUEUE (see estab_recvmsg: drops one notice and returns 0); others EOPNOTSUPP. A read ends
 * in front of an urgent byte; the one that begins there leaves it out. */
ESTAB_API ssize_t estab_recv(estab_stack* stack, int s, void* data, size_t size, int flags);

/* estab_send; the address is not looked at, as for every stream socket on Linux (but EINVAL for a
 * length over 128). */
ESTAB_API ssize_t estab_sendto(estab_stack* stack, int s, const void* data, size_t size, int flags,
                               const struct sockaddr* address, socklen_t length);

/* estab_recv; *length becomes 0, as for every stream socket on Linux. */
ESTAB_API ssize_t estab_recvfrom(estab_stack* stack, int s, void* data, size_t size, int flags,
                                 struct sockaddr* address, socklen_t* length);

/* estab_send of several pieces. EMSGSIZE: over 1024 of them. Control data: EOPNOTSUPP. */
ESTAB_API ssize_t estab_sendmsg(estab_stack* stack, int s, const struct msghdr* message, int flags);

/* estab_recv into several pieces. msg_namelen becomes 0 if there is a msg_name. msg_flags: MSG_OOB
 * with an urgent byte, MSG_CTRUNC if the control data did not fit. Control data: with TCP_INQ one
 * message {SOL_TCP, TCP_CM_INQ, int}: the bytes that still wait.
 *
 * With MSG_ERRQUEUE takes the oldest notice of MSG_ZEROCOPY instead, without waiting (EAGAIN: there
 * is none): returns 0, msg_flags has MSG_ERRQUEUE, and the control data is one message {SOL_IP,
 * IP_RECVERR}, or {SOL_IPV6, IPV6_RECVERR} of an AF_INET6 socket, with a struct sock_extended_err
 * of <linux/errqueue.h>: ee_errno 0, ee_origin SO_EE_ORIGIN_ZEROCOPY, and the calls ee_info to
 * ee_data, whose memory is the caller's again. ee_code is SO_EE_CODE_ZEROCOPY_COPIED if it was
 * copied after all: to an address of the stack itself, and on a SYN. While there is a notice, poll
 * says POLLERR. Notices of a closed socket are gone. */
ESTAB_API ssize_t estab_recvmsg(estab_stack* stack, int s, struct msghdr* message, int flags);

/* Bytes that have arrived, where they lie. */
struct estab_loan {
  const void* data;
  size_t size;
  uint64_t id; /* names them in estab_recv_return */
};

/* Reads without a copy: waits for bytes as estab_recv does, and lends what is there, in up to
 * `count` pieces (64 at most). Returns how many; 0 at the end of the stream. The bytes have been
 * read, and keep their place in the receive buffer: the window opens when they are returned. They
 * stay as they are until then, also beyond estab_close, but not beyond estab_stack_destroy. They
 * end in front of an urgent byte, as estab_recv does. flags: MSG_DONTWAIT; others EOPNOTSUPP.
 * EINVAL: count is 0; else as estab_recv. */
ESTAB_API ssize_t estab_recv_borrow(estab_stack* stack, int s, struct estab_loan* loans,
                                    size_t count, int flags);

/* Gives back what was borrowed, from whichever sockets, in any order and number. Only `id` is
 * looked at. EINVAL: something is not on loan; the rest is returned. */
ESTAB_API int estab_recv_return(estab_stack* stack, const struct estab_loan* loans, size_t count);

/* estab_recv and estab_send without flags, for one piece or for `count` (0 to 1024: EINVAL). */
ESTAB_API ssize_t estab_read(estab_stack* stack, int s, void* data, size_t size);
ESTAB_API ssize_t estab_write(estab_stack* stack, int s, const void* data, size_t size);
ESTAB_API ssize_t estab_readv(estab_stack* stack, int s, const struct iovec* pieces, int count);
ESTAB_API ssize_t estab_writev(estab_stack* stack, int s, const struct iovec* pieces, int count);

/* Closes the receiving side (SHUT_RD), the sending side (SHUT_WR: a FIN follows all queued data) or
 * both. Never waits. EINVAL: how; ENOTCONN. On a listener SHUT_RD and SHUT_RDWR end the listening.
 */
ESTAB_API int estab_shutdown(estab_stack* stack, int s, int how);

/* Gives up a handle. The connection closes in order behind it; by a reset if data was left unread
 * or SO_LINGER is {1, 0}. With SO_LINGER {1, n} waits until everything sent, FIN included, is
 * acknowledged, or n seconds, also with O_NONBLOCK (as Linux), and returns 0 either way. What is
 * still queued over a TUN device goes out while some call waits or estab_poll_io runs. EBADF. */
ESTAB_API int estab_close(estab_stack* stack, int s);

/* Sets an option. Supported:
 *  SOL_SOCKET    SO_REUSEADDR SO_REUSEPORT SO_LINGER SO_KEEPALIVE SO_RCVTIMEO SO_SNDTIMEO
 *                SO_RCVBUF SO_SNDBUF SO_RCVBUFFORCE SO_SNDBUFFORCE SO_RCVLOWAT SO_OOBINLINE
 *                SO_MAX_PACING_RATE SO_ZEROCOPY
 *  IPPROTO_TCP   TCP_NODELAY TCP_CORK TCP_QUICKACK TCP_MAXSEG TCP_KEEPIDLE TCP_KEEPINTVL
 *                TCP_KEEPCNT TCP_SYNCNT TCP_LINGER2 TCP_USER_TIMEOUT TCP_NOTSENT_LOWAT
 *                TCP_WINDOW_CLAMP TCP_INQ TCP_FASTOPEN_KEY TCP_CONGESTION
 *  IPPROTO_IP    IP_TOS IP_TTL IP_BIND_ADDRESS_NO_PORT IP_LOCAL_PORT_RANGE
 *                IP_MTU_DISCOVER
 *  IPPROTO_IPV6  IPV6_V6ONLY (before bind) IPV6_TCLASS IPV6_UNICAST_HOPS IPV6_MTU_DISCOVER
 *                (AF_INET6 sockets)
 * Everything else: ENOPROTOOPT. SO_RCVBUF and SO_SNDBUF: n bytes of payload are held and 2n is what
 * estab_getsockopt then says, as on Linux (where the other half pays for overhead); at least 2304
 * and 4608, at most twice net.core.rmem_max and wmem_max (the _FORCE ones: 1 GiB). SO_REUSEPORT:
 * several sockets, each with the option, may be bound to and listen at one address and port; each
 * SYN goes to one of them, by a keyed hash of its four-tuple.
 * TCP_CORK: a segment that is not full waits until the option is off, TCP_NODELAY is set, or an RTO
 * (200 ms or more). TCP_QUICKACK is not permanent, as on Linux. IP_TOS and IP_TTL are for IPv4
 * peers, also those of an AF_INET6 socket, and the IPPROTO_IPV6 options for IPv6 peers; the two ECN
 * bits of a TOS cannot be set. TCP_FASTOPEN_KEY: 16 or 32 bytes, of a listener. TCP_CONGESTION:
 * "cubic", "reno" or "bbr", at any time, and inherited by accepted sockets; ENOENT for others.
 * SO_MAX_PACING_RATE: bytes a second, an unsigned int or long, all ones for no limit; what is sent
 * is paced from then on, at no more than that. SO_ZEROCOPY: 0 or 1, at any time, and inherited by
 * accepted sockets; MSG_ZEROCOPY counts from then on. SO_RCVTIMEO, SO_SNDTIMEO: struct timeval; 0
 * is "no limit". EINVAL: a value or length out of range; EDOM: tv_usec; EFAULT. */
ESTAB_API int estab_setsockopt(estab_stack* stack, int s, int level, int name, const void* value,
                               socklen_t length);

/* Asks for an option: those of estab_setsockopt, and SO_ERROR (the pending error, cleared by
 * asking), SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ACCEPTCONN, SO_SNDLOWAT (1), TCP_TIMESTAMP, IP_MTU
 * and IPV6_MTU (of the path; ENOTCONN without a peer), TCP_INFO (struct tcp_info of <linux/tcp.h>;
 * what is not known is 0), TCP_CC_INFO (struct tcp_bbr_info of <linux/inet_diag.h> with bbr,
 * nothing with others). The value is cut to *length, and *length becomes what was written. */
ESTAB_API int estab_getsockopt(estab_stack* stack, int s, int level, int name, void* value,
                               socklen_t* length);

/* The local and the peer's address. Up to *length bytes are written, and *length becomes the whole
 * size. EINVAL: *length is negative; getpeername: ENOTCONN. */
ESTAB_API int estab_getsockname(estab_stack* stack, int s, struct sockaddr* address,
                                socklen_t* length);
ESTAB_API int estab_getpeername(estab_stack* stack, int s, struct sockaddr* address,
                                socklen_t* length);

/* Waits until one of the sockets is ready, or timeout_ms (-1: without limit, 0: not at all) of the
 * stack's clock. Returns how many have revents set. Bits as Linux sets them for TCP: POLLIN and
 * POLLRDNORM (data, end of stream, a connection to accept), POLLOUT and POLLWRNORM, POLLRDHUP, and,
 * asked for or not, POLLERR, POLLHUP, POLLNVAL (no such handle); POLLPRI: an urgent byte. Negative
 * handles are skipped. An epoll is POLLIN while it has events. */
ESTAB_API int estab_poll(estab_stack* stack, struct pollfd* fds, nfds_t count, int timeout_ms);

/* F_GETFL (O_RDWR and O_NONBLOCK), F_SETFL (O_NONBLOCK), F_GETFD and F_SETFD (FD_CLOEXEC is kept
 * but means nothing: handles do not survive exec), F_DUPFD, F_DUPFD_CLOEXEC. Others: EINVAL. */
ESTAB_API int estab_fcntl(estab_stack* stack, int s, int command, long argument);

/* FIONREAD (SIOCINQ): bytes to read, up to an urgent one; SIOCATMARK: whether the urgent byte is
 * next; SIOCOUTQ: bytes not acknowledged; SIOCOUTQNSD: bytes not sent; EINVAL for a listener.
 * FIONBIO. Each takes an int*. Others: ENOTTY. */
ESTAB_API int estab_ioctl(estab_stack* stack, int s, unsigned long request, void* argument);

/* A new epoll: a handle that watches others, as epoll(7). flags: EPOLL_CLOEXEC; others EINVAL.
 * EMFILE. It is closed by estab_close, can be duplicated by F_DUPFD, polled, and watched by another
 * epoll; the socket functions give ENOTSOCK on it. */
ESTAB_API int estab_epoll_create1(estab_stack* stack, int flags);

/* Adds (EPOLL_CTL_ADD), changes (EPOLL_CTL_MOD) or ends (EPOLL_CTL_DEL) the watching of handle `s`.
 * Bits as poll's, and EPOLLET (told when something new has come), EPOLLONESHOT (told once, until
 * EPOLL_CTL_MOD), EPOLLEXCLUSIVE (of several epolls that watch, one that is waiting is told).
 * EPOLLERR and EPOLLHUP are always watched. What is watched is the open file behind the handle: the
 * watching lasts until its last handle is closed. EBADF: either handle; EEXIST; ENOENT; EINVAL: not
 * an epoll, itself, an unknown operation, or EPOLLEXCLUSIVE where Linux does not allow it; ELOOP:
 * epolls that watch each other, or more than five of them stacked; EFAULT. */
ESTAB_API int estab_epoll_ctl(estab_stack* stack, int epoll, int operation, int s,
                              struct epoll_event* event);

/* Waits until a watched handle is ready, or timeout_ms (-1: without limit, 0: not at all) of the
 * stack's clock. Writes up to `count` events and returns how many; those that do not fit come first
 * at the next call. Costs the same however many handles are watched. EBADF; EINVAL: not an epoll,
 * or count is not positive; EFAULT. */
ESTAB_API int estab_epoll_wait(estab_stack* stack, int epoll, struct epoll_event* events, int count,
                               int timeout_ms);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ESTAB_ESTAB_H_ */
