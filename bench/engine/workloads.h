// What can be measured. Each builds its own pair of stacks, warms up, measures and reports.
#pragma once

#include "engine/report.h"

namespace bench_engine {

/// Connect, a byte each way, close (`data`), or connect and close; `connections` idle ones are open
/// besides. An operation is one connection, both ends.
Report MeasureShort(const Options& options, bool data);
/// Connect and close with `connections` records in TIME_WAIT.
Report MeasureTimeWait(const Options& options);
/// Connect and abort while `connections` of the 64 512 ports to the one destination are taken.
Report MeasurePorts(const Options& options);
/// `count` bytes from the client to the server. An operation is a segment of data, both ends.
Report MeasureBulk(const Options& options);
/// The same with data sent by reference and read by borrowing, over a wire that cuts super-segments
/// and vouches for checksums, as network cards do: the wire's copy and the one into the receive
/// queue are all that is left.
Report MeasureZeroCopy(const Options& options);
/// A byte there and a byte back over each of `connections` in an order without order, `batch` of
/// them at a time. An operation is one segment of one byte.
Report MeasureRound(const Options& options);
/// All of these with one setting-up: a byte over each of `connections`, singly and in batches of
/// 32; connections that come and go beside them; a millisecond that passes; memory.
Report MeasureScale(const Options& options);
/// `connections` open and nothing happens: what a millisecond costs, and the memory of an end.
Report MeasureIdle(const Options& options);
/// Memory of `connections` idle ends, half-open records and TIME_WAIT records.
Report MeasureMemory(const Options& options);
/// `count` connections come and go beside `connections` that stay; then honest clients beside a
/// flood of SYNs at half of what the server can take; then everything ends, and nothing may be
/// left.
Report MeasureSoak(const Options& options);
/// Setting and cancelling a timer while `connections` others run.
Report MeasureTimers(const Options& options);

}  // namespace bench_engine
