// Doubly linked lists of things that bring their own links.
#pragma once

#include <cstddef>

namespace estab {

/// The links. An object derives from ListNode<Tag> once per list it can be on.
template <class Tag>
struct ListNode {
  ListNode* prev = nullptr;
  ListNode* next = nullptr;
  bool linked() const { return next != nullptr; }
};

/// A list of T, where T derives from ListNode<Tag>. Owns nothing. O(1) everywhere.
template <class T, class Tag>
class IntrusiveList {
 public:
  IntrusiveList() { head_.prev = head_.next = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  bool empty() const { return head_.next == &head_; }
  T* front() { return empty() ? nullptr : static_cast<T*>(head_.next); }

  void PushBack(T& item) {
    ListNode<Tag>& node = item;
    node.prev = head_.prev;
    node.next = &head_;
    head_.prev->next = &node;
    head_.prev = &node;
  }
  /// Takes `item` off whichever list of this kind it is on; nothing if it is on none.
  static void Remove(T& item) {
    ListNode<Tag>& node = item;
    if (!node.linked()) return;
    node.prev->next = node.next;
    node.next->prev = node.prev;
    node.prev = node.next = nullptr;
  }
  T* PopFront() {
    T* item = front();
    if (item != nullptr) Remove(*item);
    return item;
  }
  /// Calls `visit(item)` for each; it may remove the item it is given.
  template <class Visit>
  void ForEach(Visit&& visit) {
    for (ListNode<Tag>* n = head_.next; n != &head_;) {
      ListNode<Tag>* next = n->next;
      visit(*static_cast<T*>(n));
      n = next;
    }
  }

 private:
  ListNode<Tag> head_;
};

}  // namespace estab
