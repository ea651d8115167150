// gVisor's netstack at both ends, two stacks in one process joined by its own pipe, on one
// processor: the workloads of bench_engine. Its programs are goroutines, as Go has it. One line of
// JSON.
package main

import (
	"context"
	"fmt"
	"io"
	"math/rand"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

const (
	nic         = 1
	firstPort   = 1024
	perListener = 20000
	piece       = 64 * 1024
)

var (
	clientAddress = tcpip.AddrFrom4([4]byte{198, 51, 100, 1})
	serverAddress = tcpip.AddrFrom4([4]byte{192, 0, 2, 2})
)

type options struct {
	count, warm, connections uint64
	buffer                   int
}

func or(asked, otherwise uint64) uint64 {
	if asked != 0 {
		return asked
	}
	return otherwise
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench_gvisor:", err)
		os.Exit(1)
	}
}

func mustTCP(err tcpip.Error) {
	if err != nil {
		must(fmt.Errorf("%v", err))
	}
}

// The process's time: on a busy machine the world's clock says less.
func processNs() float64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

// The link's end, which counts packets.
type counting struct {
	*pipe.Endpoint
	packets uint64
}

func (c *counting) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	c.packets += uint64(list.Len())
	return c.Endpoint.WritePackets(list)
}

type pair struct {
	client, server *stack.Stack
	wires          [2]*counting
}

func newStack(wire stack.LinkEndpoint, own tcpip.Address, buffer int, timeWait time.Duration) *stack.Stack {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	mustTCP(s.CreateNIC(nic, wire))
	mustTCP(s.AddProtocolAddress(nic, tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: own.WithPrefix(),
	}, stack.AddressProperties{}))
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}})
	set := func(option tcpip.SettableTransportProtocolOption) {
		mustTCP(s.SetTransportProtocolOption(tcp.ProtocolNumber, option))
	}
	sack := tcpip.TCPSACKEnabled(true)
	set(&sack)
	cubic := tcpip.CongestionControlOption("cubic")
	set(&cubic)
	linger := tcpip.TCPTimeWaitTimeoutOption(timeWait)
	set(&linger)
	moderate := tcpip.TCPModerateReceiveBufferOption(false)
	set(&moderate)
	set(&tcpip.TCPSendBufferSizeRangeOption{Min: 4096, Default: buffer, Max: 1 << 30})
	set(&tcpip.TCPReceiveBufferSizeRangeOption{Min: 4096, Default: buffer, Max: 1 << 30})
	mustTCP(s.SetPortRange(1024, 65535))
	return s
}

func newPair(buffer int, timeWait time.Duration) *pair {
	there, back := pipe.New("\x02\x00\x00\x00\x00\x01", "\x02\x00\x00\x00\x00\x02", 1500)
	wires := [2]*counting{{Endpoint: there}, {Endpoint: back}}
	return &pair{
		client: newStack(wires[0], clientAddress, buffer, timeWait),
		server: newStack(wires[1], serverAddress, buffer, timeWait),
		wires:  wires,
	}
}

func (p *pair) packets() uint64 { return p.wires[0].packets + p.wires[1].packets }

func (p *pair) listen(i uint64) *gonet.TCPListener {
	l, err := gonet.ListenTCP(p.server, tcpip.FullAddress{NIC: nic, Addr: serverAddress, Port: uint16(firstPort + i)}, ipv4.ProtocolNumber)
	must(err)
	return l
}

func (p *pair) dial(i uint64) *gonet.TCPConn {
	to := tcpip.FullAddress{NIC: nic, Addr: serverAddress, Port: uint16(firstPort + i)}
	c, err := gonet.DialContextTCP(context.Background(), p.client, to, ipv4.ProtocolNumber)
	must(err)
	return c
}

// Gives back what comes, byte by byte, and closes when the peer has.
func echo(c io.ReadWriteCloser) {
	var b [1]byte
	for {
		if _, err := c.Read(b[:]); err != nil {
			break
		}
		if _, err := c.Write(b[:]); err != nil {
			break
		}
	}
	c.Close()
}

func serve(l *gonet.TCPListener, one func(io.ReadWriteCloser), ended func()) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		one(c.(*gonet.TCPConn))
		ended()
	}
}

func exchange(c *gonet.TCPConn) {
	b := [1]byte{1}
	_, err := c.Write(b[:])
	must(err)
	_, err = c.Read(b[:])
	must(err)
}

// One connection after the other: the next begins when the server has seen the end of the last.
func connections(o options, name string, data bool, before uint64) {
	count := or(o.count, 20000)
	warm := or(o.warm, 5000) + before
	timeWait := time.Millisecond
	if before != 0 {
		timeWait = 10 * time.Minute
	}
	p := newPair(1<<17, timeWait)
	ended := make(chan struct{}, 1)
	for i := uint64(0); i <= (warm+count)/perListener; i++ {
		go serve(p.listen(i), echo, func() { ended <- struct{}{} })
	}
	made := uint64(0)
	run := func(n uint64) {
		for ; n != 0; n-- {
			c := p.dial(made / perListener)
			if data {
				exchange(c)
			}
			c.Close()
			<-ended
			made++
		}
	}
	run(warm)
	packets := p.packets()
	began := processNs()
	run(count)
	ns := processNs() - began
	more := ""
	if before != 0 {
		more = fmt.Sprintf(", \"time_waits\": %d", before)
	}
	print(name, more, count, ns, p.packets()-packets)
}

func bulk(o options) {
	p := newPair(o.buffer, time.Millisecond)
	l := p.listen(0)
	accepted := make(chan io.ReadWriteCloser, 1)
	go serve(l, func(c io.ReadWriteCloser) { accepted <- c }, func() {})
	c := p.dial(0)
	s := <-accepted
	data := make([]byte, piece)
	sink := make([]byte, piece)
	transfer := func(bytes uint64) {
		go func() {
			for sent := uint64(0); sent < bytes; sent += piece {
				_, err := c.Write(data)
				must(err)
			}
		}()
		for read := uint64(0); read < bytes; {
			n, err := s.Read(sink)
			must(err)
			read += uint64(n)
		}
	}
	round := func(n uint64) uint64 { return (n + piece - 1) / piece * piece }
	transfer(round(or(o.warm, 64<<20)))
	bytes := round(or(o.count, 1<<30))
	packets := p.packets()
	began := processNs()
	transfer(bytes)
	ns := processNs() - began
	more := fmt.Sprintf(", \"buffer\": %d, \"bytes\": %d, \"gbit_per_s\": %.4f", o.buffer, bytes, float64(bytes)*8/ns)
	print("bulk", more, bytes/1448, ns, p.packets()-packets)
}

func open(p *pair, n uint64) []*gonet.TCPConn {
	for i := uint64(0); i <= n/perListener; i++ {
		go serve(p.listen(i), func(c io.ReadWriteCloser) { go echo(c) }, func() {})
	}
	all := make([]*gonet.TCPConn, n)
	for i := range all {
		all[i] = p.dial(uint64(i) / perListener)
	}
	rand.New(rand.NewSource(1)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func round(o options) {
	n := or(o.connections, 10)
	p := newPair(1<<17, time.Millisecond)
	all := open(p, n)
	next := uint64(0)
	run := func(count uint64) {
		for ; count != 0; count-- {
			exchange(all[next%n])
			next++
		}
	}
	count := or(o.count, 50000)
	run(or(o.warm, n))
	packets := p.packets()
	began := processNs()
	run(count)
	ns := processNs() - began
	print("round", fmt.Sprintf(", \"connections\": %d", n), 2*count, ns, p.packets()-packets)
}

func heap() float64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

// Without the goroutines that a program has for each connection.
func memory(o options) {
	n := or(o.connections, 10000)
	p := newPair(1<<17, 10*time.Minute)
	var lock sync.Mutex
	var accepted []io.ReadWriteCloser
	for i := uint64(0); i <= n/perListener; i++ {
		go serve(p.listen(i), func(c io.ReadWriteCloser) {
			lock.Lock()
			accepted = append(accepted, c)
			lock.Unlock()
		}, func() {})
	}
	before := heap()
	all := make([]*gonet.TCPConn, n)
	for i := range all {
		all[i] = p.dial(uint64(i) / perListener)
	}
	idle := (heap() - before) / float64(2*n)
	runtime.KeepAlive(all)
	fmt.Printf("{\"workload\": \"memory\", \"connections\": %d, \"idle_bytes\": %.1f}\n", n, idle)
}

func print(workload, more string, count uint64, ns float64, packets uint64) {
	fmt.Printf("{\"workload\": \"%s\"%s, \"operations\": %d, \"ns_per_op\": %.4f, \"packets_per_op\": %.4f}\n",
		workload, more, count, ns/float64(count), float64(packets)/float64(count))
}

func wrongUse(what string) {
	fmt.Fprintln(os.Stderr, "bench_gvisor:", what)
	os.Exit(2)
}

func main() {
	workloads := map[string]func(options){
		"short":      func(o options) { connections(o, "short", true, 0) },
		"open_close": func(o options) { connections(o, "open_close", false, 0) },
		"time_wait":  func(o options) { connections(o, "time_wait", false, or(o.connections, 10)) },
		"bulk":       bulk,
		"round":      round,
		"memory":     memory,
	}
	for _, argument := range os.Args[1:] {
		if argument == "--help" {
			fmt.Println("usage: bench_gvisor WORKLOAD [--count N] [--warm N] [--connections N] [--buffer BYTES]\n\n" +
				"Prints one line of JSON. Workloads: short open_close time_wait bulk round memory")
			return
		}
	}
	if len(os.Args) < 2 {
		wrongUse("a workload is missing")
	}
	measure, known := workloads[os.Args[1]]
	if !known {
		wrongUse("unknown workload: " + os.Args[1])
	}
	o := options{buffer: 1 << 20}
	for i := 2; i < len(os.Args); i += 2 {
		if i+1 == len(os.Args) {
			wrongUse("a number is missing after " + os.Args[i])
		}
		n, err := strconv.ParseUint(os.Args[i+1], 10, 62)
		if err != nil {
			wrongUse("not a number: " + os.Args[i+1])
		}
		switch os.Args[i] {
		case "--count":
			o.count = n
		case "--warm":
			o.warm = n
		case "--connections":
			o.connections = n
		case "--buffer":
			o.buffer = int(n)
		default:
			wrongUse("unknown option: " + os.Args[i])
		}
	}
	// One thread, like the others; its collector works as it does by default.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(100)
	measure(o)
}
