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

struct Item : Queueable {
  Item() : Queueable(idle_kind) {}
};

std::vector<Queueable*> emptied(ReadyQueue& queue) {
  std::vector<Queueable*> order;
  while (!queue.empty()) order.push_back(queue.pop());
  return order;
}

std::vector<Queueable*> pointers(std::deque<Item>& items, std::size_t from, std::size_t to) {
  std::vector<Queueable*> result;
  for (std::size_t i = from; i < to; ++i) result.push_back(&items[i]);
  return result;
}

}  // namespace

TEST_SUITE_BEGIN("reactor/ready_queue");

TEST_CASE("pop: what was pushed first leaves first") {
  ReadyQueue queue;
  std::deque<Item> items(10);
  for (Item& item : items) queue.push(item);
  CHECK(emptied(queue) == pointers(items, 0, 10));
}

TEST_CASE("pop: an empty queue gives null, also once it has been used") {
  ReadyQueue queue;
  CHECK(queue.pop() == nullptr);
  Item item;
  queue.push(item);
  queue.pop();
  CHECK(queue.pop() == nullptr);
  CHECK(queue.empty());
}

TEST_CASE("pop_before: gives what was queued by then, and nothing of what came later") {
  ReadyQueue queue;
  std::deque<Item> items(4);
  queue.push(items[0]);
  queue.push(items[1]);
  const QueuePosition end = queue.end();
  queue.push(items[2]);
  CHECK(queue.pop_before(end) == &items[0]);
  queue.push(items[3]);
  CHECK(queue.pop_before(end) == &items[1]);
  CHECK(queue.pop_before(end) == nullptr);
  CHECK(emptied(queue) == pointers(items, 2, 4));
}

TEST_CASE("pop_before: what is pushed again counts as later") {
  ReadyQueue queue;
  Item item;
  queue.push(item);
  const QueuePosition end = queue.end();
  queue.push(*queue.pop_before(end));
  CHECK(queue.pop_before(end) == nullptr);
  CHECK(queue.pop() == &item);
}

TEST_CASE("move_to_back: puts the first ones behind the others, each part in its order") {
  ReadyQueue queue;
  std::deque<Item> items(5);
  for (std::size_t i = 0; i < 2; ++i) queue.push(items[i]);
  const QueuePosition end = queue.end();
  for (std::size_t i = 2; i < 5; ++i) queue.push(items[i]);
  queue.move_to_back(end);
  CHECK(emptied(queue) ==
        std::vector<Queueable*>{&items[2], &items[3], &items[4], &items[0], &items[1]});
}

TEST_CASE("take: what the other queue had comes behind its own, and can be taken out of it") {
  ReadyQueue queue;
  ReadyQueue other;
  std::deque<Item> items(4);
  queue.push(items[0]);
  for (std::size_t i = 1; i < 4; ++i) other.push(items[i]);
  queue.take(other);
  CHECK(other.empty());
  queue.remove(items[2]);
  CHECK(emptied(queue) == std::vector<Queueable*>{&items[0], &items[1], &items[3]});
}

TEST_CASE("remove: takes out the first one, the last one, and the one in between") {
  ReadyQueue queue;
  std::deque<Item> items(5);
  for (Item& item : items) queue.push(item);
  for (const std::size_t taken : {0U, 2U, 4U}) queue.remove(items[taken]);
  CHECK(emptied(queue) == std::vector<Queueable*>{&items[1], &items[3]});
}

TEST_CASE("remove: the only one leaves an empty queue") {
  ReadyQueue queue;
  Item item;
  queue.push(item);
  queue.remove(item);
  CHECK(queue.empty());
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
  CHECK(emptied(queue) == std::vector<Queueable*>{&second, &first});
}

TEST_CASE("queue: 100 000 random pushes, pops and removals are those of a list") {
  ReadyQueue queue;
  std::deque<Item> items(200);
  std::deque<Queueable*> model;
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
      model.erase(std::find(model.begin(), model.end(), &item));
    }
    if (queue.empty() != model.empty()) ++differences;
  }
  CHECK(differences == 0);
}

TEST_SUITE_END();
