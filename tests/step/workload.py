"""What step_walker steps through: all that changes a stack, in any CPython from 3.6 on.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import sys
import threading
from pathlib import Path

import step

LIBRARY = str(Path(os.__file__).parent)
MISSING = "this_module_does_not_exist"


def leaf(x):
    return x * 2


def calls(n):
    total = 0
    for i in range(n):
        total += leaf(i)
    step.check()
    return total


def recursion(n):
    if n == 0:
        step.check()
        return 0
    return 1 + recursion(n - 1)


def generator(n):
    for i in range(n):
        yield leaf(i)


def delegating(n):
    step.check()
    result = yield from generator(n)
    return result


def generators(n):
    total = sum(generator(n)) + sum(delegating(n)) + sum(x for x in generator(n))
    unfinished = generator(n)
    next(unfinished)
    unfinished.close()
    thrown_into = generator(n)
    next(thrown_into)
    try:
        thrown_into.throw(ValueError("thrown"))
    except ValueError:
        step.check()
    return total


class Awaitable:
    def __await__(self):
        yield 1
        return 2


async def inner():
    step.check()
    return await Awaitable()


async def outer():
    return await inner() + await inner()


def coroutines(n):
    for _ in range(n):
        coroutine = outer()
        try:
            while True:
                coroutine.send(None)
        except StopIteration as stop:
            assert stop.value == 4


class Base:
    def __init__(self, value):
        self.value = value

    @property
    def twice(self):
        return leaf(self.value)

    def __getitem__(self, key):
        return leaf(key)

    def __lt__(self, other):
        return self.value < other.value

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        step.check()
        return False

    def __getattr__(self, name):
        return leaf(len(name))


class Derived(Base):
    def __init__(self, value):
        super().__init__(value + 1)


def classes(n):
    total = 0
    for i in range(n):
        instance = Derived(i)
        total += instance.twice + instance[i] + instance.missing
        with instance:
            total += 1

    class Local(Base):
        step.check()
        attribute = leaf(3)

    ordered = sorted([Local(3), Local(1), Local(2)])
    by_key = sorted(range(8), key=lambda x: -leaf(x))
    return total, ordered, by_key, max(range(8), key=leaf)


def raises(n):
    if n == 0:
        raise KeyError("deep")
    try:
        raises(n - 1)
    finally:
        leaf(n)


def exceptions(n):
    for i in range(n):
        try:
            raises(i % 6)
        except KeyError:
            step.check()
        try:
            leaf()
        except TypeError:
            step.check()


def executed(n):
    """The compiler, of which no stack shows anything, takes most of the instants: all of it is
    stepped through with all rounds only."""
    for i in range(n):
        namespace = {"step": step}
        text = f"def f{i}(x):\n    step.check()\n    return x + {i}\ny = f{i}(1)"
        exec(text if step.all() else compile_unstepped(text, "exec"), namespace)
        call = f"f{i}(2)"
        eval(call if step.all() else compile_unstepped(call, "eval"), namespace)


def compile_unstepped(text, mode):
    step.off()
    code = compile(text, "<string>", mode)
    step.on()
    return code


def imports():
    # One that fails has the frames of one that does not.
    names = [MISSING]
    if step.all():
        names.append("colorsys")
    for name in names:
        sys.modules.pop(name, None)
        try:
            __import__(name)
        except ImportError:
            step.check()


def look_before():
    """So that the import finds one place to look in, of which the list of files is there."""
    sys.path[:] = [LIBRARY]
    with contextlib.suppress(ImportError):
        __import__(MISSING)


def many_arguments(a, b, *rest, c=1, d=2, **keywords):
    return leaf(a + b + c + d + len(rest) + len(keywords))


def closures(n):
    held = [0]

    def add(x):
        held[0] += x
        return held[0]

    for i in range(n):
        add(i)
        many_arguments(1, 2, 3, 4, c=5, e=6)
        many_arguments(*(1, 2), **{"d": 3})
        list(map(add, (1, 2, 3)))
        [add(x) for x in (1, 2)]
        {leaf(x) for x in (1, 2)}


def in_thread(lock):
    step.on()
    with lock:
        calls(5)
    if step.all():
        generators(2)
    recursion(10)
    step.off()


def with_threads(count):
    # Of a stepped thread's instructions few fit into an interval: most would be those of waiting.
    sys.setswitchinterval(0.005 if step.all() else 0.03)
    lock = threading.Lock()
    threads = [threading.Thread(target=in_thread, args=(lock,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def everything():
    many = step.all()
    calls(20)
    recursion(40 if many else 20)
    generators(6 if many else 3)
    coroutines(4 if many else 2)
    classes(4 if many else 2)
    exceptions(8 if many else 4)
    executed(3 if many else 1)
    closures(5 if many else 3)


def main():
    if not step.all():
        look_before()
    step.on()
    everything()
    imports()
    step.off()
    with_threads(3 if step.all() else 2)


main()
