// Asking a running `serve` by its control socket.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace estab::cli {

/// Sends `request` to the server at `path` and calls `each` for every line of the answer but the
/// last. Throws Failure: status 1 if nobody answers there, else the server's own.
void Ask(const std::string& path, const nlohmann::ordered_json& request,
         const std::function<void(const nlohmann::ordered_json&)>& each);

}  // namespace estab::cli
