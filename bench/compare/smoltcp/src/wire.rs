//! One direction of the wire: a ring of fixed buffers, into which each packet is written once.

use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use std::cell::RefCell;

const PACKETS: usize = 32;
const PACKET_SIZE: usize = 2048;

pub struct Ring {
    buffers: Vec<[u8; PACKET_SIZE]>,
    sizes: [usize; PACKETS],
    head: usize,
    tail: usize,
}

impl Ring {
    pub fn leaked() -> &'static RefCell<Ring> {
        Box::leak(Box::new(RefCell::new(Ring {
            buffers: vec![[0; PACKET_SIZE]; PACKETS],
            sizes: [0; PACKETS],
            head: 0,
            tail: 0,
        })))
    }
    fn is_empty(&self) -> bool {
        self.head == self.tail
    }
    fn is_full(&self) -> bool {
        self.tail - self.head == PACKETS
    }
    /// How many packets have been put on it.
    pub fn packets(&self) -> u64 {
        self.tail as u64
    }
}

/// One end of the wire.
pub struct End {
    pub rx: &'static RefCell<Ring>,
    pub tx: &'static RefCell<Ring>,
}

pub struct Rx(&'static RefCell<Ring>);
pub struct Tx(&'static RefCell<Ring>);

impl phy::RxToken for Rx {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        let mut ring = self.0.borrow_mut();
        let i = ring.head % PACKETS;
        let result = f(&ring.buffers[i][..ring.sizes[i]]);
        ring.head += 1;
        result
    }
}

impl phy::TxToken for Tx {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, size: usize, f: F) -> R {
        let mut ring = self.0.borrow_mut();
        let i = ring.tail % PACKETS;
        ring.sizes[i] = size;
        ring.tail += 1;
        f(&mut ring.buffers[i][..size])
    }
}

impl Device for End {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx;

    fn capabilities(&self) -> DeviceCapabilities {
        // Its default is checksums in software, both made and verified.
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1500;
        capabilities
    }
    fn receive(&mut self, _: Instant) -> Option<(Rx, Tx)> {
        if self.rx.borrow().is_empty() || self.tx.borrow().is_full() {
            return None;
        }
        Some((Rx(self.rx), Tx(self.tx)))
    }
    fn transmit(&mut self, _: Instant) -> Option<Tx> {
        (!self.tx.borrow().is_full()).then_some(Tx(self.tx))
    }
}
