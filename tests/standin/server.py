"""The stand-in itself: listeners, paths, scripts, records. The package is its manual.

SPDX-License-Identifier: MIT
"""

import asyncio
import collections
import contextlib
import email.utils
import gzip
import re
import socket
import threading
import time
import traceback
import urllib.parse

from testenv.wait import wait_for

from . import certificates, discovery
from .api import Grant, ProfilerApi, json_reply, new_opaque
from .errors import ApiError, OAuthError
from .metadata import Metadata
from .records import Request
from .steps import Step
from .tokens import KeyFiles, Tokens
from .wire import Wire

LISTENERS = ("api", "auth", "metadata")
STOP_SECONDS = 10
FILLER_PART = 64 << 10
REAL_API = "cloudprofiler.googleapis.com"

PROJECT_PROFILES = r"/v2/projects/([^/]+)/profiles"
PATHS = (
    # call, method, path
    ("create", "POST", PROJECT_PROFILES),
    ("update", "PATCH", r"/v2/(projects/[^/]+/profiles/[^/]+)"),
    ("create_offline", "POST", PROJECT_PROFILES + ":createOffline"),
    ("discovery", "GET", r"/discovery/v1/apis/cloudprofiler/v2/rest"),
    ("token", "POST", r"/token|/oauth2/v4/token"),
    ("sts", "POST", r"/sts|/v1/token"),
    ("impersonation", "POST", r"/v1/projects/-/serviceAccounts/([^/]+):generateAccessToken"),
    ("subject_token", "GET", r"/subject-token"),
    ("use_token", "GET|POST", r"/use-token"),
    ("metadata", "GET", r"/|/computeMetadata/v1(/.*)?"),
    ("connect", "CONNECT", r".*"),
)
CALLS = tuple(call for call, _, _ in PATHS)


class Listener:
    """A port of 127.0.0.1. It stays ours while nobody listens on it, as a second socket, which
    never listens, is bound to it."""

    def __init__(self, name, tls):
        self.name = name
        self.tls = tls
        self._holder = self._bind(0)
        self.port = self._holder.getsockname()[1]
        self.stalls = False  # connections are accepted, and nothing is ever read or answered
        self._server = None

    @staticmethod
    def _bind(port):
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(("127.0.0.1", port))
        return bound

    async def open(self, make_protocol):
        loop = asyncio.get_running_loop()
        sock = self._bind(self.port)
        self._server = await loop.create_server(make_protocol, sock=sock)

    def close(self):
        if self._server:
            self._server.close()
            self._server = None

    def release(self):
        self.close()
        self._holder.close()


class StandIn:
    """`directory` gets ca.pem. A context manager: starts and stops."""

    def __init__(self, directory, *, certificate="right", http2=True, clock_offset_s=0.0):
        self.clock_offset_s = clock_offset_s
        protocols = ("h2", "http/1.1") if http2 else ("http/1.1",)
        self.ca_file, tls = certificates.make(directory, certificate, protocols)
        self._listeners = {
            name: Listener(name, None if name == "metadata" else tls) for name in LISTENERS
        }
        self.requests = []
        self.connections = []
        self.uploads = []
        self.metadata = Metadata()
        self.tokens = Tokens(self.now, self._own_urls)
        self.keys = KeyFiles(self.auth_url)
        self._api = ProfilerApi(self.tokens.check_bearer, self.uploads)
        self._script = collections.defaultdict(collections.deque)
        self._always = {}
        self._wires = set()
        self._most_open = collections.Counter()
        self._crashes = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="standin", daemon=True)

    # Where it is

    @property
    def endpoint(self):
        return f"https://localhost:{self._listeners['api'].port}"

    @property
    def auth_url(self):
        return f"https://localhost:{self._listeners['auth'].port}"

    @property
    def metadata_host(self):
        return f"127.0.0.1:{self._listeners['metadata'].port}"

    @property
    def proxy_url(self):
        """For http_proxy and https_proxy. CONNECT to a name of googleapis.com leads here too."""
        return f"http://{self.metadata_host}"

    @property
    def discovery_url(self):
        return f"{self.endpoint}/discovery/v1/apis/cloudprofiler/v2/rest"

    def _own_urls(self, path="/"):
        return {url + path for url in (self.endpoint, self.auth_url)}

    def now(self):
        """The stand-in's clock: Unix time, moved by clock_offset_s."""
        return time.time() + self.clock_offset_s

    # Life

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        self.stop()

    def start(self):
        self._thread.start()
        self.listen()
        return self

    def stop(self):
        """Closes everything; fails if the stand-in itself did."""
        if self._thread.is_alive():
            self._do(self._close_all())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_SECONDS)
            self._loop.close()
        assert not self._crashes, "\n".join(self._crashes)

    def _do(self, work):
        """Runs a coroutine in the loop's thread and waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STOP_SECONDS)

    async def _close_all(self):
        for listener in self._listeners.values():
            listener.release()
        await self._end_wires()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _end_wires(self, reset=True):
        for wire in list(self._wires):
            # At once: a call that hangs would be given what is released before the end is seen.
            wire.end_calls()
            if reset:
                wire.reset()
            else:
                wire.drop()

    def listen(self, *names):
        """Opens the listeners named (all, if none is)."""

        async def open_all():
            for name in names or LISTENERS:
                listener = self._listeners[name]
                await listener.open(lambda listener=listener: Wire(self, listener))

        self._do(open_all())

    def refuse(self, *names):
        """Closes the listeners: connections are refused until listen(). Open ones stay."""

        async def close():
            for name in names or LISTENERS:
                self._listeners[name].close()

        self._do(close())

    def stall(self, *names, stalls=True):
        """From now on new connections are accepted and left alone: not even TLS is begun."""
        for name in names or LISTENERS:
            self._listeners[name].stalls = stalls

    def drop_connections(self, reset=False):
        """Ends all open connections."""
        self._do(self._end_wires(reset))

    # What the test says

    @property
    def pace(self):
        return self._api.pace

    @pace.setter
    def pace(self, pace):
        self._api.pace = pace

    def release(self, kind="CPU", duration="1s", *, opaque=None, extra=None, forced=False):
        """Answers a create call that hangs, or the next that comes, and that asked for `kind`
        (with `forced`: any). `extra`: fields of the answer beside, or over, the usual ones; a
        value of None takes one away."""
        grant = Grant(kind, duration, opaque or new_opaque(), dict(extra or {}), forced)
        self._loop.call_soon_threadsafe(self._api.release, grant)

    def forget_names(self):
        """No profile that was asked for until now can be uploaded any more."""
        self._loop.call_soon_threadsafe(self._api.forget_names)

    def expire_tokens(self):
        """Every token given until now gets 401."""
        self._loop.call_soon_threadsafe(self.tokens.expire_all)

    def script(self, call, *steps):
        """The next requests of `call` are answered by these steps, one each."""
        assert call in CALLS and all(isinstance(step, Step) for step in steps)
        self._script[call].extend(steps)

    def always(self, call, step):
        """Requests of `call` beyond the script are answered by this step."""
        assert call in CALLS and isinstance(step, Step)
        self._always[call] = step

    def unscript(self):
        self._script.clear()
        self._always.clear()

    # What the test looks at

    @property
    def hanging(self):
        """How many create calls wait for their answer."""
        return self._api.waiting

    @property
    def problems(self):
        """Why requests were refused, and what was no HTTP at all; scripted answers left out."""
        found = [f"{r.method} {r.path}: {r.problem}" for r in self.requests if r.problem]
        return found + [c.protocol_problem for c in self.connections if c.protocol_problem]

    def requests_of(self, call):
        return [request for request in self.requests if request.call == call]

    def connections_of(self, listener):
        return [one for one in self.connections if one.listener == listener]

    def most_open(self, listener):
        """How many connections of a listener were ever open at once."""
        return self._most_open[listener]

    def wait_for_requests(self, call, count=1, seconds=30.0):
        """The requests of `call` when there are so many, answered or not."""

        def enough():
            found = self.requests_of(call)
            return found if len(found) >= count else None

        return wait_for(enough, f"{count} x {call}", seconds)

    def wait_for_answers(self, call, count=1, seconds=30.0):
        """The same, for those that were answered."""

        def enough():
            found = [one for one in self.requests_of(call) if one.status is not None]
            return found if len(found) >= count else None

        return wait_for(enough, f"{count} answers to {call}", seconds)

    def wait_for_uploads(self, count=1, seconds=60.0):
        def enough():
            assert not self.problems, self.problems
            return self.uploads[:] if len(self.uploads) >= count else None

        return wait_for(enough, f"{count} uploads", seconds)

    def wait_for_hanging(self, count=1, seconds=30.0):
        wait_for(lambda: self.hanging >= count, f"{count} hanging create calls", seconds)

    # Called by Wire, in the loop's thread

    def opened(self, wire, name):
        record = wire.new_record(len(self.connections) + 1, name)
        self.connections.append(record)
        self._wires.add(wire)
        now_open = sum(one.is_open for one in self.connections_of(name))
        self._most_open[name] = max(self._most_open[name], now_open)
        return record

    def closed(self, wire):
        self._wires.discard(wire)

    def receive(self, connection, method, target, headers, body):
        """Makes the record of a request and keeps it."""
        parts = urllib.parse.urlsplit(target if method != "CONNECT" else "")
        path = parts.path if method != "CONNECT" else target
        joined = {}
        for name, value in headers:
            low = name.lower()
            joined[low] = f"{joined[low]}, {value}" if low in joined else value
        request = Request(
            call=self._call_of(method, path)[0],
            method=method,
            path=path,
            query=dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True)),
            headers=joined,
            body=body,
            connection=connection,
            at_s=time.monotonic(),
            header_names=tuple(name for name, _ in headers),
        )
        self.requests.append(request)
        return request

    @staticmethod
    def _call_of(method, path):
        """The call's name and the parts of its path."""
        for call, methods, pattern in PATHS:
            match = re.fullmatch(pattern, path)
            if match and method in methods.split("|"):
                return call, match.groups()
        return "other", ()

    async def answer(self, wire, request, exchange):
        try:
            await self._answer(wire, request, exchange)
        except (ConnectionError, asyncio.CancelledError):
            request.abandoned = request.status is None
        except Exception:
            self._crashes.append(traceback.format_exc())
            wire.reset()

    async def _answer(self, wire, request, exchange):
        if request.call == "connect":
            await self._connect(wire, request, exchange)
            return
        steps = self._script[request.call]
        step = steps.popleft() if steps else self._always.get(request.call, Step())
        if step.drops:
            request.scripted = True
            wire.drop()
            return
        if step.hangs:
            request.scripted = True
            await asyncio.get_running_loop().create_future()
        reply = await self._reply(request, step)
        await self._deliver(wire, request, exchange, reply, step)

    async def _reply(self, request, step):
        try:
            if step.reply is None:
                return await self._handle(request)
            request.scripted = True
            if isinstance(step.reply, ApiError):
                raise step.reply
            return step.reply
        except (ApiError, OAuthError) as problem:
            if not request.scripted:
                request.problem = str(problem)
            version = request.headers.get("x-goog-api-format-version")
            return json_reply(problem.document(version), problem.status)

    async def _handle(self, request):
        call, parts = self._call_of(request.method, request.path)
        parts = [urllib.parse.unquote(part or "") for part in parts]
        if call == "metadata":
            return await self.metadata.answer(request, self.tokens)
        if call == "discovery":
            return json_reply(discovery.document(self.endpoint))
        handlers = {
            "create": self._api.create,
            "update": self._api.update,
            "create_offline": self._api.create_offline,
            "token": self.tokens.token,
            "sts": self.tokens.sts,
            "impersonation": self.tokens.impersonation,
            "subject_token": self.tokens.subject_token,
            "use_token": self.tokens.use_token,
        }
        if call not in handlers:
            raise ApiError(404, f"{request.method} {request.path} is nothing that is served here")
        return await handlers[call](request, *parts)

    async def _connect(self, wire, request, exchange):
        """Tunnels to our own listeners, and to nowhere else."""
        host, _, port = request.path.rpartition(":")
        if host.endswith(".googleapis.com"):
            listener = self._listeners["api" if host == REAL_API else "auth"]
        else:
            ports = {str(one.port): one for one in self._listeners.values()}
            listener = ports.get(port) if host in ("localhost", "127.0.0.1") else None
        if listener is None:
            request.problem = "CONNECT to a stranger"
            wire.drop()
            return
        # First the tunnel: the client goes on as soon as it has its answer.
        await wire.tunnel_to("127.0.0.1", listener.port)
        request.status = 200
        await exchange.say_connected()

    async def _deliver(self, wire, request, exchange, reply, step):
        headers = {"date": email.utils.formatdate(self.now(), usegmt=True), **reply.headers}
        body = reply.body
        if reply.status == 401:
            headers["www-authenticate"] = 'Bearer realm="https://accounts.google.com/"'
        if step.gzip:
            body = gzip.compress(body)
            headers["content-encoding"] = "gzip"
        length = None if step.chunked else len(body) + step.filler
        request.status = reply.status
        await exchange.start(reply.status, list(headers.items()), length)
        if step.reset_after is not None:
            await self._send_then_reset(wire, exchange, body[: step.reset_after])
            return
        if step.byte_every_s:
            await self._send_slowly(exchange, body, step.byte_every_s)
        else:
            await exchange.data(body)
        await self._send_filler(exchange, step.filler)
        await exchange.end()

    @staticmethod
    async def _send_then_reset(wire, exchange, part):
        with contextlib.suppress(ConnectionError):
            await exchange.data(part)
        # A reset overtakes what still stands in the socket's buffer.
        await asyncio.sleep(0.1)
        wire.reset()

    @staticmethod
    async def _send_slowly(exchange, body, byte_every_s):
        for index in range(len(body)):
            await exchange.data(body[index : index + 1])
            await asyncio.sleep(byte_every_s)

    @staticmethod
    async def _send_filler(exchange, size):
        while size > 0:
            await exchange.data(b" " * min(size, FILLER_PART))
            size -= FILLER_PART
