// Files over HTTP/1.1: GET and HEAD.
#pragma once

#include <memory>

#include "cli/http_files.h"
#include "cli/session.h"

namespace estab::cli {

/// Serves `folder` to one client, request after request. A head must be complete 15 s after the
/// connection or the response before it, and a client that takes nothing for 60 s is given up.
std::unique_ptr<Session> MakeHttp(Machine& machine, SocketId socket,
                                  std::shared_ptr<const Folder> folder);

}  // namespace estab::cli
