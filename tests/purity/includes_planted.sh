#!/bin/sh
# Plants offences in a small tree, one at a time, and sees that check-includes names each of them,
# with its file and line; and that the same tree without them passes.
#
# Usage: includes_planted.sh CHECK_INCLUDES
set -u
check=$1
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
trap 'exit 1' HUP INT TERM
failures=0
cases=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# A tree in which everything is as it should be, with an include of every allowed kind.
plant_clean() {
  rm -rf "$tree/include" "$tree/src"
  mkdir -p "$tree/include/estab"
  for room in base wire tcp stack observe io sim api cli; do mkdir -p "$tree/src/$room"; done
  printf '#include <cstdint>\n' >"$tree/include/estab/stack.h"
  printf '#include <poll.h>\n#include "estab/stack.h"\n' >"$tree/include/estab/estab.h"
  printf '#include <cstdlib>\n' >"$tree/src/base/heap.cc"
  printf '#include <cstdio>\n#include <cstdlib>\n' >"$tree/src/base/check.cc"
  printf '#include "estab/stack.h"\n#include <span>\n' >"$tree/src/base/a.h"
  printf '#include "base/a.h"\n' >"$tree/src/wire/a.h"
  printf '  #  include "wire/a.h"\n' >"$tree/src/tcp/a.h"
  printf '#include "tcp/a.h"\n#include <expected>\n' >"$tree/src/stack/a.cc"
  printf '#include "stack/a.h"\n#include <fmt/format.h>\n#include <vector>\n' >"$tree/src/observe/a.cc"
  printf '#include "stack/a.h"\n#include <linux/if_tun.h>\n#include <mutex>\n' >"$tree/src/io/a.cc"
  printf '#include "observe/a.h"\n#include <string>\n' >"$tree/src/sim/a.cc"
  printf '#include "io/a.h"\n#include "sim/a.h"\n#include "observe/a.h"\n#include <mutex>\n' \
    >"$tree/src/api/a.cc"
  printf '#include "api/a.h"\n#include <CLI/CLI.hpp>\n#include <fmt/format.h>\n' >"$tree/src/cli/a.cc"
}

# expect PLACE TEXT: check-includes must fail with one line that has both.
expect() {
  cases=$((cases + 1))
  output=$("$check" "$tree" 2>&1)
  status=$?
  if [ $status -ne 1 ]; then
    fail "$1: status $status instead of 1; it said: $output"
  elif [ "$(printf '%s\n' "$output" | wc -l)" -ne 1 ]; then
    fail "$1: one line expected, got: $output"
  else
    case $output in
      "$1: "*"$2"*) ;;
      *) fail "$1: expected '$2', got: $output" ;;
    esac
  fi
}

# plant FILE LINE TEXT: an offence in a clean tree, as the second line of FILE, and what is said.
plant() {
  plant_clean
  printf '// Second line: the offence.\n%s\n' "$2" >"$tree/$1"
  expect "$1:2" "$3"
}

plant_clean
cases=$((cases + 1))
output=$("$check" "$tree" 2>&1) || fail "a clean tree: $output"

# Against the arrow, at every step of it.
plant src/base/b.cc '#include "wire/a.h"' 'base may not see wire'
plant src/wire/b.cc '#include "tcp/a.h"' 'wire may not see tcp'
plant src/tcp/b.h '#include "stack/a.h"' 'tcp may not see stack'
plant src/stack/b.h '#include "api/a.h"' 'stack may not see api'
plant src/stack/b.h '#include "observe/a.h"' 'stack may not see observe'
plant src/observe/b.cc '#include "io/a.h"' 'observe may not see io'
plant src/observe/b.cc '#include "sim/a.h"' 'observe may not see sim'
plant src/io/b.cc '#include "observe/a.h"' 'io may not see observe'
plant src/io/b.cc '#include "sim/a.h"' 'io may not see sim'
plant src/sim/b.cc '#include "io/a.h"' 'sim may not see io'
plant src/sim/b.cc '#include "api/a.h"' 'sim may not see api'
plant src/api/b.cc '#include "cli/a.h"' 'api may not see cli'
plant include/estab/b.h '#include "base/a.h"' 'public may not see base'
# In the disguises an include can wear.
plant src/tcp/b.cc '	#  include "stack/a.h"  // why not' 'tcp may not see stack'
plant src/tcp/rules.def '#include "stack/a.h"' 'tcp may not see stack'
plant src/tcp/b.cc '#include "../stack/a.h"' 'without dots'
plant src/tcp/b.cc '#include "a.h"' 'name the file from its room'
plant src/tcp/b.cc '#include <stack/a.h>' 'not on its list'
plant src/tcp/b.cc '#include HEADER' 'cannot be read'
plant_clean
printf 'int x;\n' >"$tree/src/misc.cc"
expect src/misc.cc:1 'no such room'
# What the rooms may not take from outside.
plant src/base/b.cc '#include <vector>' 'not on its list'
plant src/base/b.cc '#include <cstdlib>' 'not on its list'
plant src/wire/b.cc '#include <fmt/format.h>' 'not on its list'
plant src/tcp/b.cc '#include <time.h>' 'not on its list'
plant src/stack/b.cc '#include <mutex>' 'not on its list'
plant src/sim/b.cc '#include <fmt/format.h>' 'observe cli only'
plant src/sim/b.cc '#include <thread>' 'threads and locks'
plant src/observe/b.cc '#include <unistd.h>' 'operating system'
plant src/api/b.cc '#include <CLI/CLI.hpp>' 'cli only'
plant include/estab/b.h '#include <linux/tcp.h>' 'a public header includes'

# Wrong use.
cases=$((cases + 1))
"$check" "$tree/no-such-tree" >/dev/null 2>&1
[ $? -eq 2 ] || fail "a tree that is not there must be status 2"

echo "$cases cases, $failures failed"
[ $failures -eq 0 ]
