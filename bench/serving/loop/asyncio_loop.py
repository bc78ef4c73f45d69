#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the loop of asyncio, or of uvloop with --uvloop, takes for one operation.

    asyncio_loop.py CELL [ARMED] [--uvloop]     prints nanoseconds
"""

import asyncio
import random
import sys
import threading
import time

OPERATIONS = 40_000


def ns_for_each(count, work, clock=time.thread_time_ns):
    start = clock()
    work()
    return (clock() - start) / count


def call_soon(_):
    loop = asyncio.new_event_loop()
    left = OPERATIONS

    def again():
        nonlocal left
        left -= 1
        if left:
            loop.call_soon(again)
        else:
            loop.stop()

    loop.call_soon(again)
    return ns_for_each(OPERATIONS, loop.run_forever)


async def give_way(times):
    for _ in range(times):
        await asyncio.sleep(0)


async def two_that_give_way():
    await asyncio.gather(give_way(OPERATIONS // 2), give_way(OPERATIONS // 2))


async def child(value):
    return value


async def parent():
    total = 0
    for i in range(OPERATIONS):
        total += await child(i)


async def awaits_futures():
    loop = asyncio.get_running_loop()
    for _ in range(OPERATIONS):
        future = loop.create_future()
        loop.call_soon(future.set_result, 1)
        await future


def of_coroutine(function):
    def run(_):
        loop = asyncio.new_event_loop()
        return ns_for_each(OPERATIONS, lambda: loop.run_until_complete(function()))

    return run


def nothing():
    pass


def far(count):
    return [3600 + random.random() * 3600 for _ in range(count)]


def timer_cancel(armed):
    loop = asyncio.new_event_loop()
    now = loop.time()
    for delay in far(armed):
        loop.call_later(delay, nothing)
    when = [now + delay for delay in far(OPERATIONS)]

    def work():
        for deadline in when:
            loop.call_at(deadline, nothing).cancel()

    return ns_for_each(OPERATIONS, work)


def timer_later_cancel(armed):
    loop = asyncio.new_event_loop()
    for delay in far(armed):
        loop.call_later(delay, nothing)
    delays = far(OPERATIONS)

    def work():
        for delay in delays:
            loop.call_later(delay, nothing).cancel()

    return ns_for_each(OPERATIONS, work)


def timer_rearm(armed):
    loop = asyncio.new_event_loop()
    now = loop.time()
    handles = [loop.call_later(delay, nothing) for delay in far(armed)]
    when = [now + delay for delay in far(OPERATIONS)]

    def work():
        for i, deadline in enumerate(when):
            handles[i % armed].cancel()
            handles[i % armed] = loop.call_at(deadline, nothing)

    return ns_for_each(OPERATIONS, work)


def timer_fire(armed):
    loop = asyncio.new_event_loop()
    now = loop.time()
    when = [now + random.random() * 0.02 for _ in range(armed)]
    left = armed

    def fired():
        nonlocal left
        left -= 1
        if not left:
            loop.stop()

    def work():
        for deadline in when:
            loop.call_at(deadline, fired)
        loop.run_forever()

    return ns_for_each(armed, work)


def wake(_):
    turns = 2000
    loops = [asyncio.new_event_loop(), asyncio.new_event_loop()]
    left = [turns, turns]

    def hit(which):
        other = 1 - which
        left[which] -= 1
        if left[which] < 0:
            loops[other].call_soon_threadsafe(loops[other].stop)
            loops[which].stop()
        else:
            loops[other].call_soon_threadsafe(hit, other)

    def work():
        loops[0].call_soon(hit, 0)
        thread = threading.Thread(target=loops[1].run_forever)
        thread.start()
        loops[0].run_forever()
        thread.join()

    return ns_for_each(2 * turns, work, time.perf_counter_ns)


CELLS = {
    "call_soon": call_soon,
    "yield": of_coroutine(two_that_give_way),
    "await_child": of_coroutine(parent),
    "future": of_coroutine(awaits_futures),
    "timer_cancel": timer_cancel,
    "timer_later_cancel": timer_later_cancel,
    "timer_rearm": timer_rearm,
    "timer_fire": timer_fire,
    "wake": wake,
}

if __name__ == "__main__":
    if "--uvloop" in sys.argv:
        import uvloop

        uvloop.install()
        sys.argv.remove("--uvloop")
    if len(sys.argv) < 2 or sys.argv[1] not in CELLS:
        sys.exit("no such cell")
    print("%.2f" % CELLS[sys.argv[1]](int(sys.argv[2]) if len(sys.argv) > 2 else 0))
