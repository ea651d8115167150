#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace estab {

void CheckFailed(const char* expression, const char* file, int line) {
  // Formatted by hand: fprintf would bring in locales and floating point.
  char digits[16];
  char* p = digits + sizeof(digits);
  *--p = '\0';
  do {
    *--p = static_cast<char>('0' + line % 10);
    line /= 10;
  } while (line > 0);
  std::fputs("estab: check failed: ", stderr);
  std::fputs(expression, stderr);
  std::fputs(" at ", stderr);
  std::fputs(file, stderr);
  std::fputs(":", stderr);
  std::fputs(p, stderr);
  std::fputs("\n", stderr);
  std::abort();
}

}  // namespace estab
