// Words for people: flags, times, tuples.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "estab/address.h"
#include "estab/error.h"
#include "estab/observer.h"
#include "estab/time.h"

namespace estab::observe {

/// "SYN|ACK", or in the short form of packet dumps "S." ("F.", "P.", "R", "." and so on). "none"
/// for no flags at all.
std::string FlagsText(std::uint16_t flags, bool brief = false);

/// Seconds with `decimals` (0-9) digits behind the point, cut, not rounded: "63.000".
std::string SecondsText(Duration time, int decimals);

/// A span for people: "200 ms", "1 s", "1.5 s", "40 us". Exact, trailing zeros dropped.
std::string SpanText(Duration span);

/// "1 byte", "5 bytes".
std::string Counted(std::uint64_t n, std::string_view what);

/// "192.0.2.1:40000".
std::string EndpointText(const Endpoint& endpoint);

/// "192.0.2.1:40000 - 192.0.2.2:80", ours first.
std::string TupleText(const Tuple& tuple);

/// The errno name that `error` stands for: "ECONNREFUSED".
std::string_view ErrnoName(Error error);

/// How many columns `utf8` takes on a terminal, counting each code point as one.
std::size_t Columns(std::string_view utf8);

/// `utf8` cut to `columns`, the last one "…" (or "~" if `ascii`) if something was cut.
std::string Fit(std::string_view utf8, std::size_t columns, bool ascii = false);

/// `text` with what XML and HTML take for themselves written as entities; control characters go.
std::string Escaped(std::string_view text);

/// "call", "segment", "timer", "ICMP".
const char* TriggerName(Trigger trigger);

/// The whole name of the setting that ends with ".NAME" ("tcp_fin_timeout"); `name` itself if none
/// does.
std::string FullSettingName(const std::string& name);

}  // namespace estab::observe
