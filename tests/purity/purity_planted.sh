#!/bin/sh
# Compiles offences against the core's purity, one at a time, and sees that check-purity names each
# of them; and that innocent code, and the exemptions of heap.cc and check.cc, pass.
#
# Usage: purity_planted.sh CHECK_PURITY COMPILER
set -u
check=$1
compiler=$2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
failures=0
cases=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# archive NAME CODE [FLAGS]: NAME.cc compiled as the core is, into an archive of its own.
archive() {
  rm -f "$work"/*
  printf '%s\n' "$2" >"$work/$1.cc"
  # shellcheck disable=SC2086
  if ! "$compiler" -std=c++2b -O2 -DNDEBUG -fPIC -fvisibility=hidden -fno-exceptions ${3-} \
    -c "$work/$1.cc" -o "$work/$1.cc.o" 2>"$work/errors"; then
    fail "$1.cc does not compile: $(head -n 3 "$work/errors")"
    return 1
  fi
  ar cr "$work/libcore.a" "$work/$1.cc.o"
}

# plant WHAT CODE [FLAGS]: must be found, and called WHAT.
plant() {
  cases=$((cases + 1))
  archive planted "$2" "${3-}" || return
  output=$("$check" "$work/libcore.a" 2>&1)
  status=$?
  [ $status -eq 1 ] || fail "$1: status $status instead of 1: $output"
  case $output in
    "planted.cc.o: $1"* | *"
planted.cc.o: $1"*) ;;
    *) fail "$1: it said: $output" ;;
  esac
}

# pass NAME CODE: must not be found guilty.
pass() {
  cases=$((cases + 1))
  archive "$1" "$2" || return
  output=$("$check" "$work/libcore.a" 2>&1) || fail "$1.cc is innocent, but: $output"
}

pass innocent '#include <cstring>
struct Base { virtual int F() = 0; protected: ~Base() = default; };
struct Derived final : Base { int F() override { return 1; } };
static const char* const kNames[] = {"a", "b"};
const char* Name(int i) { return kNames[i]; }
int Use(Base& b, char* to, const char* from, unsigned long n) { std::memcpy(to, from, n); return b.F(); }
int Make() { Derived d; return Use(d, nullptr, nullptr, 0); }
long long Mix(unsigned long long a, unsigned long long b) { return static_cast<long long>(a * 3 / (b | 1)); }'
pass heap '#include <cstdlib>
void* Get(unsigned long n) { return std::aligned_alloc(64, n); }
void Put(void* p) { std::free(p); }'
pass check '#include <cstdio>
#include <cstdlib>
void Fail(const char* s) { std::fputs(s, stderr); std::abort(); }'

plant 'a clock' '#include <ctime>
long F() { return std::time(nullptr); }'
plant 'a clock' '#include <chrono>
long F() { return std::chrono::steady_clock::now().time_since_epoch().count(); }'
plant 'a clock' 'unsigned long long F() { return __builtin_ia32_rdtsc(); }'
plant 'randomness' '#include <cstdlib>
int F() { return std::rand(); }'
plant 'randomness' '#include <random>
unsigned F() { std::random_device d; return d(); }'
plant 'a thread or lock' '#include <pthread.h>
int F(pthread_mutex_t* m) { return pthread_mutex_lock(m); }'
plant 'a thread or lock' 'struct S { S(); ~S(); int x; }; S& F() { static S s; return s; }'
plant 'an atomic operation' '#include <atomic>
int F(std::atomic<int>& a) { return a.fetch_add(2); }'
plant 'an exception' 'void F() { throw 1; }' -fexceptions
plant 'an exception' 'void G(); int F() { try { G(); } catch (...) { return 1; } return 0; }' -fexceptions
plant 'an exception' '#include <expected>
int F(std::expected<int, int> e) { return e.value(); }' -fexceptions
plant 'allocation outside heap.cc' '#include <cstdlib>
void* F() { return std::malloc(8); }'
plant 'allocation outside heap.cc' 'int* F() { return new int; }'
plant 'allocation outside heap.cc' 'void F(int* p) { delete p; }'
plant 'allocation outside heap.cc' '#include <vector>
void F(std::vector<int>& v) { v.reserve(100); }'
plant 'input or output' '#include <cstdio>
void F(int i) { std::printf("%d", i); }'
plant 'an end of the process' '#include <cstdlib>
void F() { std::abort(); }'
plant 'a system call' '#include <unistd.h>
int F() { return close(3); }'
plant 'a system call' 'long F() { long r; asm volatile("syscall" : "=a"(r) : "a"(39) : "rcx", "r11", "memory"); return r; }'
plant 'thread-local' 'thread_local int counter; int F() { return ++counter; }'
plant 'writable data' 'int counter = 1; int F() { return ++counter; }'
plant 'writable data' 'static int counter; int F() { return ++counter; }'
plant 'writable data' 'int F() { static int counter; return ++counter; }'
plant 'writable data' 'const char* names[] = {"a", "b"}; const char* F(int i) { return names[i]; }'
plant 'writable data' 'inline int counter; int F() { return ++counter; }'
plant 'an initialiser' 'int G(); extern const int value = G(); int F() { return value; }'
plant 'floating point' 'double F(double a, double b) { return a * b; }'
plant 'floating point' 'int F(int a) { return static_cast<int>(a * 0.3f); }'
plant 'floating point' '__extension__ typedef __float128 Q; Q F(Q a, Q b) { return a * b; }'
plant 'not on the list' 'void Elsewhere(); void F() { Elsewhere(); }'

# Wrong use.
cases=$((cases + 1))
"$check" "$work/no-such-archive.a" >/dev/null 2>&1
[ $? -eq 2 ] || fail "an archive that is not there must be status 2"
cases=$((cases + 1))
printf 'not an archive' >"$work/text.a"
if "$check" "$work/text.a" >/dev/null 2>&1; then fail "a file that is no archive must not pass"; fi

echo "$cases cases, $failures failed"
[ $failures -eq 0 ]
