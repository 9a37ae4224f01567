"""The module that apps import under uWSGI with the plugin cloudprofiler (docs/tags.md).

An editor or a type checker finds this file where its path of stubs leads here: `mypy_path = stubs`
of mypy, `stubPath` of pyright and Pylance.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Literal, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., object])

class tag:
    """Tags for the profiler's samples of what runs in a with block, or in a function.

    Keys are 1 to 64 of a-z, 0-9, '_', '.' and '-', values str of 1 to 128 bytes in UTF-8. Blocks
    nest: of a key that is set twice the inner value counts.
    """

    def __init__(self, **tags: str) -> None: ...
    def __enter__(self) -> tag: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> Literal[False]: ...
    def __call__(self, function: _Function) -> _Function:
        """The function, plain or async, which from now on runs with these tags."""

def set_tag(key: str, value: str) -> bool:
    """Sets a tag for the rest of the request that the caller serves.

    Returns False where there is none, or where nothing is profiled: then nothing is set.
    """

def enabled() -> bool:
    """Whether this process is profiled. Not yet where the app is loaded in the master."""
