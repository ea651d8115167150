#include "api/open_file.h"

#include <algorithm>

namespace estab::api {

FileTable::~FileTable() {
  for (const Slot& slot : slots_) {  // so that no epoll outlives what it watches
    if (slot.file != nullptr) Epoll::Forget(*slot.file);
  }
  for (Slot& slot : slots_) {
    if (slot.file != nullptr && --slot.file->references == 0) delete slot.file;
  }
}

int FileTable::LowestFree(int lowest) {
  if (lowest > 0) {  // F_DUPFD: rare, so a walk will do
    for (std::size_t i = Index(lowest); i < slots_.size(); ++i) {
      if (slots_[i].file == nullptr) return static_cast<int>(i);
    }
    return std::max(lowest, static_cast<int>(slots_.size()));
  }
  while (!free_.empty()) {
    const int handle = free_.top();
    if (slots_[Index(handle)].file == nullptr) return handle;
    free_.pop();
  }
  return static_cast<int>(slots_.size());
}

int FileTable::Add(OpenFile* file, bool close_on_exec, int lowest) {
  if (lowest < 0 || lowest >= kMaxHandles) return -1;
  const int handle = LowestFree(lowest);
  if (handle >= kMaxHandles) return -1;
  for (auto skipped = static_cast<int>(slots_.size()); skipped < handle; ++skipped) {
    free_.push(skipped);
  }
  if (Index(handle) >= slots_.size()) slots_.resize(Index(handle) + 1);
  slots_[Index(handle)] = {file, close_on_exec};
  if (!free_.empty() && free_.top() == handle) free_.pop();
  ++file->references;
  ++open_;
  return handle;
}

OpenFile* FileTable::Find(int handle) const {
  return handle < 0 || Index(handle) >= slots_.size() ? nullptr : slots_[Index(handle)].file;
}

OpenFile* FileTable::Remove(int handle) {
  OpenFile* file = Find(handle);
  if (file == nullptr) return nullptr;
  free_.push(handle);
  slots_[Index(handle)] = Slot{};
  --open_;
  return file;
}

}  // namespace estab::api
