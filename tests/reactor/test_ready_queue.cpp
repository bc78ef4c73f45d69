// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

#include <weir/reactor/ready_queue.hpp>

using namespace weir::detail;

namespace {

constexpr RunnableKind idle_kind = {
    [](Runnable&) {},
    [](const Runnable&) { return std::string(); },
};

struct Item : Runnable {
  Item() : Runnable(idle_kind) {}
};

std::vector<Runnable*> emptied(ReadyQueue& queue) {
  std::vector<Runnable*> order;
  while (!queue.empty()) order.push_back(queue.pop());
  return order;
}

std::vector<Runnable*> pointers(std::deque<Item>& items, std::size_t from, std::size_t to) {
  std::vector<Runnable*> result;
  for (std::size_t i = from; i < to; ++i) result.push_back(&items[i]);
  return result;
}

}  // namespace

TEST_SUITE_BEGIN("reactor/ready_queue");

TEST_CASE("pop: what was pushed first leaves first") {
  ReadyQueue queue;
  std::deque<Item> items(10);
  for (Item& item : items) queue.push(item);
  CHECK(queue.size() == 10);
  CHECK(emptied(queue) == pointers(items, 0, 10));
}

TEST_CASE("push: the order holds when a ring that has wrapped round doubles") {
  ReadyQueue queue;
  std::deque<Item> items(1000);
  for (std::size_t i = 0; i < 40; ++i) queue.push(items[i]);
  for (int i = 0; i < 30; ++i) queue.pop();
  for (std::size_t i = 40; i < 1000; ++i) queue.push(items[i]);
  CHECK(emptied(queue) == pointers(items, 30, 1000));
}

TEST_CASE("remove: the place of what was taken out pops as null") {
  ReadyQueue queue;
  Item first;
  Item second;
  Item third;
  for (Item* item : {&first, &second, &third}) queue.push(*item);
  queue.remove(second);
  CHECK(emptied(queue) == std::vector<Runnable*>{&first, nullptr, &third});
}

TEST_CASE("remove: finds its place also after the ring has grown") {
  ReadyQueue queue;
  std::deque<Item> items(300);
  for (Item& item : items) queue.push(item);
  queue.remove(items[0]);
  queue.remove(items[299]);
  std::vector<Runnable*> expected = pointers(items, 0, 300);
  expected.front() = expected.back() = nullptr;
  CHECK(emptied(queue) == expected);
}

TEST_CASE("position: is 0 before the push, after the pop and after the removal") {
  ReadyQueue queue;
  Item popped;
  Item removed;
  CHECK(popped.position == 0);
  queue.push(popped);
  queue.push(removed);
  CHECK(popped.position != 0);
  CHECK(removed.position != 0);
  queue.pop();
  queue.remove(removed);
  CHECK(popped.position == 0);
  CHECK(removed.position == 0);
}

TEST_CASE("push: what was taken out can be queued again, at the end") {
  ReadyQueue queue;
  Item first;
  Item second;
  queue.push(first);
  queue.push(second);
  queue.remove(first);
  queue.push(first);
  CHECK(emptied(queue) == std::vector<Runnable*>{nullptr, &second, &first});
}

TEST_CASE("queue: 100 000 random pushes, pops and removals are those of a list") {
  ReadyQueue queue;
  std::deque<Item> items(200);
  std::deque<Runnable*> model;
  std::mt19937 random(3);
  int differences = 0;
  for (int step = 0; step < 100'000; ++step) {
    Item& item = items[random() % items.size()];
    if (random() % 3 == 0 && !model.empty()) {
      if (queue.pop() != model.front()) ++differences;
      model.pop_front();
    } else if (item.position == 0) {
      queue.push(item);
      model.push_back(&item);
    } else {
      queue.remove(item);
      *std::find(model.begin(), model.end(), &item) = nullptr;
    }
    if (queue.size() != model.size()) ++differences;
  }
  CHECK(differences == 0);
}

TEST_SUITE_END();
