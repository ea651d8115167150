// Sending and receiving: flags, counts, errors.
#include "parity_scripts.h"

namespace estab_test {

std::vector<Script> DataScripts() { return {}; }
std::vector<Script> OptionScripts() { return {}; }

}  // namespace estab_test
