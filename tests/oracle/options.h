// Socket options, flags and their names in scripts.
#pragma once

#include <string>
#include <vector>

#include "oracle/world.h"

namespace oracle {

/// "ECONNRESET" for -ECONNRESET, the number itself if it is not negative.
std::string ResultText(int result);

/// `setsockopt s SO_LINGER 1 0`: the values in words. The result as text.
std::string SetOption(World& world, int s, const std::vector<std::string>& words);

/// `getsockopt s SO_ERROR`: the value as text.
std::string GetOption(World& world, int s, const std::string& name);

/// "ESTABLISHED" and so on, as TCP_INFO says.
std::string StateText(World& world, int s);

/// What else TCP_INFO says about timers and negotiation.
std::string InfoText(World& world, int s);

/// What TCP_INFO says of loss recovery and of the congestion window.
std::string LossText(World& world, int s);

/// "IN OUT RDHUP": every bit that poll reports without waiting.
std::string PollText(World& world, int s);

/// "peek", "oob", "dontwait", ... joined by '|' as MSG_ flags; -1 if one is unknown.
int MessageFlags(const std::string& text);

}  // namespace oracle
