#include "cli/errands.h"

#include <utility>

#include "cli/failure.h"

namespace estab::cli {
namespace {

io::Event MakeEvent() {
  auto event = io::Event::Create();
  if (!event) Failed("{}", event.error().message);
  return std::move(*event);
}

}  // namespace

Errands::Errands() : event_(MakeEvent()) {}

void Errands::Do(const std::function<void()>& errand) {
  std::unique_lock lock(mutex_);
  if (closed_) return errand();
  errand_ = &errand;
  event_.Signal();
  done_.wait(lock, [this] { return errand_ == nullptr; });
  if (thrown_ != nullptr) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

void Errands::Run() {
  event_.Clear();
  const std::lock_guard lock(mutex_);
  RunWaiting();
}

void Errands::RunWaiting() {
  if (errand_ == nullptr) return;
  try {
    (*errand_)();
  } catch (...) {
    thrown_ = std::current_exception();
  }
  errand_ = nullptr;
  done_.notify_all();
}

void Errands::Close() {
  const std::lock_guard lock(mutex_);
  RunWaiting();
  closed_ = true;
}

}  // namespace estab::cli
