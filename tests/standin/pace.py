"""When a create call is answered, and with which kind of profile.

SPDX-License-Identifier: MIT
"""

from dataclasses import dataclass, field


@dataclass
class Hold:
    """A call hangs until the test releases it."""

    def offer(self, _deployment, _kinds, _now_s):
        """(kind, duration) for a waiting call, or None: not yet."""


@dataclass
class BackToBack:
    """A call is answered at once. The kinds that the client asks for, and that are among `kinds`
    (None: all), come in turn."""

    kinds: tuple | None = None
    duration: str = "1s"
    _turns: int = 0

    def offer(self, _deployment, kinds, _now_s):
        wanted = [kind for kind in kinds if self.kinds is None or kind in self.kinds]
        if not wanted:
            return None
        self._turns += 1
        return wanted[(self._turns - 1) % len(wanted)], self.duration


@dataclass
class EachSeconds:
    """Each kind of a deployment is asked for once in `seconds`, as the real server does."""

    seconds: float = 60.0
    duration: str = "10s"
    _last_s: dict = field(default_factory=dict)

    def offer(self, deployment, kinds, now_s):
        for kind in kinds:
            last_s = self._last_s.get((deployment, kind))
            if last_s is None or now_s - last_s >= self.seconds:
                self._last_s[(deployment, kind)] = now_s
                return kind, self.duration
        return None
