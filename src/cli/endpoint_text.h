// Endpoints as people write them.
#pragma once

#include <optional>
#include <string_view>

#include "estab/address.h"

namespace estab::cli {

/// "192.0.2.1:80", "[2001:db8::1]:80", or "*:80" for any address; nullopt for anything else.
std::optional<Endpoint> ParseEndpoint(std::string_view text);

}  // namespace estab::cli
