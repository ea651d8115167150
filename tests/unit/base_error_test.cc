#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>

#include "estab/error.h"

namespace estab {
namespace {

TEST(Error, StandsForItsErrno) {
  EXPECT_EQ(ToErrno(Error::kWouldBlock), EAGAIN);
  EXPECT_EQ(ToErrno(Error::kConnectionRefused), ECONNREFUSED);
  EXPECT_EQ(ToErrno(Error::kConnectionReset), ECONNRESET);
  EXPECT_EQ(ToErrno(Error::kProtocolNotAvailable), ENOPROTOOPT);
  EXPECT_EQ(ToErrno(Error::kIo), EIO);
  EXPECT_EQ(ToErrno(static_cast<Error>(0)), EINVAL);
  EXPECT_EQ(ToErrno(static_cast<Error>(200)), EINVAL);
}

TEST(Error, EachHasItsOwnNumberAndWords) {
  std::set<int> numbers;
  std::set<std::string> words;
  for (int i = 1; i <= static_cast<int>(Error::kIo); ++i) {
    numbers.insert(ToErrno(static_cast<Error>(i)));
    words.insert(Describe(static_cast<Error>(i)));
  }
  EXPECT_EQ(numbers.size(), static_cast<std::size_t>(Error::kIo));
  EXPECT_EQ(words.size(), static_cast<std::size_t>(Error::kIo));
  EXPECT_FALSE(words.contains(Describe(static_cast<Error>(0))));
}

TEST(Error, IsAStandardErrorCode) {
  const std::error_code code = Error::kConnectionReset;
  EXPECT_EQ(code.category(), ErrorCategory());
  EXPECT_EQ(code, std::errc::connection_reset);
  EXPECT_NE(code, std::errc::broken_pipe);
  EXPECT_EQ(code.message(), Describe(Error::kConnectionReset));
}

}  // namespace
}  // namespace estab
