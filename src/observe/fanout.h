// One observer that passes everything on to several.
#pragma once

#include <algorithm>
#include <vector>

#include "estab/observer.h"

namespace estab::observe {

/// Passes each event to those of its observers that are interested in it, in the order in which
/// they were added. The observers must outlive their stay here. After Add or Remove, attach the
/// fan-out to its stack again (Stack::SetObserver): a stack asks for interests only then.
class Fanout : public Observer {
 public:
  void Add(Observer& observer) { observers_.push_back({&observer, observer.Interests()}); }
  void Remove(Observer& observer) {
    std::erase_if(observers_, [&](const Entry& e) { return e.observer == &observer; });
  }

  unsigned Interests() const override {
    unsigned all = 0;
    for (const Entry& e : observers_) all |= e.interests;
    return all;
  }
  void OnRule(const RuleEvent& event) override {
    const unsigned wanted = InterestOf(event.number, event.from, event.to);
    for (const Entry& e : observers_) {
      if ((e.interests & wanted) != 0) e.observer->OnRule(event);
    }
  }
  void OnSegment(const SegmentEvent& event) override {
    for (const Entry& e : observers_) {
      if ((e.interests & kSegments) != 0) e.observer->OnSegment(event);
    }
  }
  void OnTimer(const TimerEvent& event) override {
    for (const Entry& e : observers_) {
      if ((e.interests & kTimers) != 0) e.observer->OnTimer(event);
    }
  }
  void OnCall(const CallEvent& event) override {
    for (const Entry& e : observers_) {
      if ((e.interests & kCalls) != 0) e.observer->OnCall(event);
    }
  }

 private:
  struct Entry {
    Observer* observer;
    unsigned interests;
  };
  std::vector<Entry> observers_;
};

}  // namespace estab::observe
