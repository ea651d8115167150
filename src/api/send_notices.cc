#include "api/send_notices.h"

#include <algorithm>

namespace estab::api {
namespace {

constexpr std::size_t kMostBytes = 131'072;  // Linux's default of net.core.optmem_max ...
constexpr std::size_t kNoticeBytes = 576;    // ... and what it counts for a notice
constexpr std::size_t kMostInRow = 512 * 1024;

}  // namespace

// Whether a call continues the row of the one before it, and so has its notice already.
bool SendNotices::Joins(std::size_t bytes) const {
  return !calls_.empty() && !calls_.back().noticed && bytes <= kMostInRow - calls_.back().in_row;
}

bool SendNotices::HasRoom(std::size_t bytes) const {
  return Joins(bytes) || (charged_ + notices_.size() + 1) * kNoticeBytes <= kMostBytes;
}

std::uint32_t SendNotices::Begin(std::size_t bytes) {
  const std::uint32_t number = next();
  Call call;
  call.charged = !Joins(bytes);
  call.in_row = std::min((call.charged ? 0 : calls_.back().in_row) + bytes, kMostInRow);
  if (call.charged) ++charged_;
  calls_.push_back(call);
  return number;
}

bool SendNotices::End(std::uint32_t call) {
  At(call).ended = true;
  if (At(call).pieces != 0) return false;
  Notice(call);
  return true;
}

bool SendNotices::Returned(const ReturnedBytes& bytes) {
  const auto number = static_cast<std::uint32_t>(bytes.token);
  Call& call = At(number);
  call.copied |= bytes.copied;
  if (--call.pieces != 0 || !call.ended) return false;
  Notice(number);
  return true;
}

// As Linux: what follows upon the youngest notice makes that one longer.
void SendNotices::Notice(std::uint32_t number) {
  Call& call = At(number);
  call.noticed = true;
  ReturnedCalls* last = notices_.empty() ? nullptr : &notices_.back();
  if (last != nullptr && last->last + 1 == number && last->copied == call.copied) {
    last->last = number;
  } else {
    notices_.push_back({number, number, call.copied});
  }
  for (; !calls_.empty() && calls_.front().noticed; ++first_) {
    if (calls_.front().charged) --charged_;
    calls_.pop_front();
  }
}

std::optional<ReturnedCalls> SendNotices::Take() {
  if (notices_.empty()) return std::nullopt;
  const ReturnedCalls notice = notices_.front();
  notices_.pop_front();
  return notice;
}

}  // namespace estab::api
