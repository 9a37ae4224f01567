"""Tasks of asyncio that tag their own work, for tagged.py.

SPDX-License-Identifier: MIT
"""

import asyncio
import inspect

import cloudprofiler

TURNS = 3


async def in_turns(work, name):
    with cloudprofiler.tag(part=name):
        for _ in range(TURNS):
            work(name)
            await asyncio.sleep(0)
            work(name)


def decorated(work):
    @cloudprofiler.tag(part="coroutine")
    async def coroutine():
        work("coroutine")
        await asyncio.sleep(0)
        work("coroutine")

    assert inspect.iscoroutinefunction(coroutine)
    return coroutine()


async def untagged(work):
    """It runs inside of what run() sets."""
    for _ in range(TURNS):
        work("around")
        await asyncio.sleep(0)


async def all_at_once(work):
    await asyncio.gather(
        in_turns(work, "first"), in_turns(work, "second"), untagged(work), decorated(work)
    )
    work("around")


def run(work):
    with cloudprofiler.tag(part="around"):
        asyncio.run(all_at_once(work))
    work("none")
