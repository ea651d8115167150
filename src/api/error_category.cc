// The std::error_category of Error. Not in base: its strings and its destructor need the heap.
#include <string>
#include <system_error>

#include "estab/error.h"

namespace estab {
namespace {

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "estab"; }
  std::string message(int value) const override { return Describe(static_cast<Error>(value)); }
  // So that `code == std::errc::connection_reset` holds where one expects it to.
  std::error_condition default_error_condition(int value) const noexcept override {
    return {ToErrno(static_cast<Error>(value)), std::generic_category()};
  }
};

}  // namespace

const std::error_category& ErrorCategory() {
  static const Category category;
  return category;
}

std::error_code make_error_code(Error error) { return {static_cast<int>(error), ErrorCategory()}; }

}  // namespace estab
