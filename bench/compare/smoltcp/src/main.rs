//! smoltcp at both ends, two interfaces in one thread, on a wire in memory: the workloads of
//! bench_engine. One line of JSON.

mod wire;

use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr, Ipv4Address};
use std::process::exit;

const CLIENT: Ipv4Address = Ipv4Address::new(198, 51, 100, 1);
const SERVER: Ipv4Address = Ipv4Address::new(192, 0, 2, 2);
const PORT: u16 = 7;
const WORKLOADS: [&str; 5] = ["short", "open_close", "bulk", "round", "memory"];

#[derive(Default)]
struct Options {
    count: u64,
    warm: u64,
    connections: u64,
    buffer: usize,
}

fn or(asked: u64, otherwise: u64) -> u64 {
    if asked != 0 {
        asked
    } else {
        otherwise
    }
}

/// Everything that is measured happens in here: callgrind is told its name.
#[no_mangle]
#[inline(never)]
pub fn measured(work: &mut dyn FnMut()) -> f64 {
    let began = process_ns();
    work();
    process_ns() - began
}

/// Of this process alone: on a busy machine the world's clock says less.
fn process_ns() -> f64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    t.tv_sec as f64 * 1e9 + t.tv_nsec as f64
}

struct Host {
    interface: Interface,
    device: wire::End,
    sockets: SocketSet<'static>,
}

impl Host {
    fn new(device: wire::End, own: Ipv4Address, seed: u64) -> Host {
        let mut device = device;
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut device, Instant::ZERO);
        interface.update_ip_addrs(|list| list.push(IpCidr::new(IpAddress::Ipv4(own), 24)).unwrap());
        interface.routes_mut().add_default_ipv4_route(own).unwrap();
        Host {
            interface,
            device,
            sockets: SocketSet::new(vec![]),
        }
    }
    fn add(&mut self, buffer: usize) -> SocketHandle {
        let new = || SocketBuffer::new(vec![0; buffer]);
        self.sockets.add(Socket::new(new(), new()))
    }
    fn socket(&mut self, handle: SocketHandle) -> &mut Socket<'static> {
        self.sockets.get_mut(handle)
    }
    fn poll(&mut self, now: Instant) -> bool {
        self.interface
            .poll(now, &mut self.device, &mut self.sockets)
            != PollResult::None
    }
    fn connect(&mut self, handle: SocketHandle, port: u16) {
        let socket = self.sockets.get_mut::<Socket>(handle);
        socket
            .connect(self.interface.context(), (SERVER, PORT), port)
            .unwrap();
    }
}

struct Pair {
    client: Host,
    server: Host,
    now: Instant,
}

impl Pair {
    fn new() -> Pair {
        let (there, back) = (wire::Ring::leaked(), wire::Ring::leaked());
        Pair {
            client: Host::new(
                wire::End {
                    rx: back,
                    tx: there,
                },
                CLIENT,
                1,
            ),
            server: Host::new(
                wire::End {
                    rx: there,
                    tx: back,
                },
                SERVER,
                2,
            ),
            now: Instant::from_secs(1),
        }
    }
    fn packets(&self) -> u64 {
        self.client.device.tx.borrow().packets() + self.server.device.tx.borrow().packets()
    }
    /// Until both are silent.
    fn settle(&mut self) {
        loop {
            let before = self.packets();
            self.client.poll(self.now);
            self.server.poll(self.now);
            if self.packets() == before {
                return;
            }
        }
    }
}

/// One connection from its opening to its end, driven by the state of its sockets. Those are used
/// again and again: smoltcp has TIME_WAIT only as a socket that stays.
fn converse(pair: &mut Pair, c: SocketHandle, s: SocketHandle, port: u16, data: bool) {
    let mut byte = [1u8];
    let mut sent = false;
    pair.server.socket(s).listen(PORT).unwrap();
    pair.client.connect(c, port);
    loop {
        pair.client.poll(pair.now);
        let client = pair.client.socket(c);
        if data && !sent && client.can_send() {
            client.send_slice(&byte).unwrap();
            sent = true;
            pair.client.poll(pair.now);
        } else if (data && client.can_recv()) || (!data && client.state() == State::Established) {
            if data {
                client.recv_slice(&mut byte).unwrap();
            }
            client.close();
            pair.client.poll(pair.now);
        }
        pair.server.poll(pair.now);
        let server = pair.server.socket(s);
        if server.can_recv() {
            server.recv_slice(&mut byte).unwrap();
            server.send_slice(&byte).unwrap();
            pair.server.poll(pair.now);
        } else if server.state() == State::CloseWait {
            server.close();
            pair.server.poll(pair.now);
        } else if server.state() == State::Closed {
            break;
        }
    }
    // TIME_WAIT lasts ten seconds.
    pair.now += Duration::from_secs(11);
    pair.client.poll(pair.now);
    assert!(pair.client.socket(c).state() == State::Closed);
}

fn short(o: &Options, data: bool) {
    let mut pair = Pair::new();
    let c = pair.client.add(4096);
    let s = pair.server.add(4096);
    let mut port = 1024;
    let mut run = |pair: &mut Pair, count: u64| {
        for _ in 0..count {
            converse(pair, c, s, port, data);
            port = if port == u16::MAX { 1024 } else { port + 1 };
        }
    };
    let count = or(o.count, 100_000);
    run(&mut pair, or(o.warm, 20_000));
    let before = pair.packets();
    let ns = measured(&mut || run(&mut pair, count));
    print(
        if data { "short" } else { "open_close" },
        "",
        count,
        ns,
        pair.packets() - before,
    );
}

fn bulk(o: &Options) {
    let mut pair = Pair::new();
    let c = pair.client.add(o.buffer);
    let s = pair.server.add(o.buffer);
    pair.server.socket(s).listen(PORT).unwrap();
    pair.client.connect(c, 1024);
    pair.settle();
    let data: Vec<u8> = (0..65536).map(|i| (i * 7) as u8).collect();
    let mut sink = vec![0u8; 65536];
    let mut transfer = |pair: &mut Pair, bytes: u64| {
        let mut read = 0u64;
        while read < bytes {
            while pair.client.socket(c).send_slice(&data).unwrap() != 0 {}
            pair.client.poll(pair.now);
            pair.server.poll(pair.now);
            loop {
                match pair.server.socket(s).recv_slice(&mut sink).unwrap() {
                    0 => break,
                    n => read += n as u64,
                }
            }
            pair.server.poll(pair.now);
            pair.now += Duration::from_micros(10);
        }
        read
    };
    transfer(&mut pair, or(o.warm, 64 << 20));
    let before = pair.packets();
    let mut read = 0;
    let ns = measured(&mut || read = transfer(&mut pair, or(o.count, 2 << 30)));
    let more = format!(
        ", \"buffer\": {}, \"bytes\": {}, \"gbit_per_s\": {:.4}",
        o.buffer,
        read,
        read as f64 * 8.0 / ns
    );
    print("bulk", &more, read / 1460, ns, pair.packets() - before);
}

fn round(o: &Options) {
    let n = or(o.connections, 10) as usize;
    let mut pair = Pair::new();
    let mut open: Vec<(SocketHandle, SocketHandle)> = vec![];
    while open.len() < n {
        // As many at once as the wire takes: each walk over the sockets is a long one.
        let some = (n - open.len()).min(16);
        let servers: Vec<_> = (0..some).map(|_| pair.server.add(64)).collect();
        for &s in &servers {
            pair.server.socket(s).listen(PORT).unwrap();
        }
        let first = 1024 + open.len();
        let clients: Vec<_> = (0..some).map(|_| pair.client.add(64)).collect();
        for (i, &c) in clients.iter().enumerate() {
            pair.client.connect(c, (first + i) as u16);
        }
        pair.settle();
        for &s in &servers {
            let peer = pair.server.socket(s).remote_endpoint().unwrap().port as usize;
            open.push((clients[peer - first], s));
        }
    }
    let mut x = 88172645463325252u64;
    for i in (1..n).rev() {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        open.swap(i, (x % (i as u64 + 1)) as usize);
    }
    let mut next = 0;
    let mut byte = [1u8];
    let mut run = |pair: &mut Pair, count: u64| {
        for _ in 0..count {
            let (c, s) = open[next];
            pair.client.socket(c).send_slice(&byte).unwrap();
            pair.client.poll(pair.now);
            pair.server.poll(pair.now);
            let server = pair.server.socket(s);
            assert!(server.recv_slice(&mut byte).unwrap() == 1);
            server.send_slice(&byte).unwrap();
            pair.server.poll(pair.now);
            pair.client.poll(pair.now);
            assert!(pair.client.socket(c).recv_slice(&mut byte).unwrap() == 1);
            next += 1;
            if next == n {
                next = 0;
                pair.now += Duration::from_millis(1);
            }
        }
    };
    let count = or(o.count, 200_000);
    run(&mut pair, or(o.warm, n as u64));
    let before = pair.packets();
    let ns = measured(&mut || run(&mut pair, count));
    let more = format!(", \"connections\": {n}");
    print("round", &more, 2 * count, ns, pair.packets() - before);
}

fn print(workload: &str, more: &str, count: u64, ns: f64, packets: u64) {
    println!(
        "{{\"workload\": \"{workload}\"{more}, \"operations\": {count}, \"ns_per_op\": {:.4}, \
         \"packets_per_op\": {:.4}}}",
        ns / count as f64,
        packets as f64 / count as f64
    );
}

fn memory() {
    let size = std::mem::size_of::<SocketStorage>();
    println!(
        "{{\"workload\": \"memory\", \"idle_bytes\": {size}, \"half_open_bytes\": {size}, \
         \"time_wait_bytes\": {size}}}"
    );
}

fn wrong_use(what: &str) -> ! {
    eprintln!("bench_smoltcp: {what}");
    exit(2);
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|a| a == "--help") {
        println!("usage: bench_smoltcp WORKLOAD [--count N] [--warm N] [--connections N] [--buffer BYTES]\n");
        println!(
            "Prints one line of JSON. Workloads: {}",
            WORKLOADS.join(" ")
        );
        return;
    }
    let mut o = Options {
        buffer: 1 << 20,
        ..Options::default()
    };
    let Some((workload, rest)) = arguments.split_first() else {
        wrong_use("a workload is missing")
    };
    for option in rest.chunks(2) {
        let Some(Ok(value)) = option.get(1).map(|v| v.parse::<u64>()) else {
            wrong_use(&format!("a number is missing after {}", option[0]))
        };
        match option[0].as_str() {
            "--count" => o.count = value,
            "--warm" => o.warm = value,
            "--connections" => o.connections = value,
            "--buffer" => o.buffer = value as usize,
            other => wrong_use(&format!("unknown option: {other}")),
        }
    }
    match workload.as_str() {
        "short" => short(&o, true),
        "open_close" => short(&o, false),
        "bulk" => bulk(&o),
        "round" => round(&o),
        "memory" => memory(),
        other => wrong_use(&format!("unknown workload: {other}")),
    }
}
