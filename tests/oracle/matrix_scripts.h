// The rows of the matrix (tests/matrix/table.h) as scripts, so that the kernel is asked every cell.
#pragma once

#include <string>

namespace oracle {

/// One script for each state of each row, "STATE-WHAT".
std::string MatrixScripts();

}  // namespace oracle
