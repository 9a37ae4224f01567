"""The API's errors, in the two forms that its clients meet.

SPDX-License-Identifier: MIT
"""

NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    411: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"


def _spoken(delay):
    """A duration as the server's messages have it: 1980s is 33m0s, 1.500s is 1.5s."""
    seconds = float(delay.removesuffix("s"))
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:g}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


class ApiError(Exception):
    """Refuses a request. `delay` asks the client to wait ("1980s")."""

    def __init__(self, status, message, *, delay=None, details=True):
        super().__init__(message)
        self.status = status
        self.message = message
        self.delay = delay
        self.details = details

    def document(self, format_version):
        """The body; with x-goog-api-format-version: 2 the delay has a field of its own."""
        message = self.message
        if self.delay is not None and self.status == 409:
            message = f"generic::aborted: action throttled, backoff for {_spoken(self.delay)}"
        elif self.delay is not None and not self.details:
            message = f"{message}, backoff for {_spoken(self.delay)}"
        name = NAMES.get(self.status, "UNKNOWN")
        body = {"code": self.status, "message": message, "status": name}
        if format_version != "2":
            body["errors"] = [
                {"message": message, "domain": "global", "reason": name.lower()},
            ]
        elif self.delay is not None and self.details:
            body["details"] = [{"@type": RETRY_INFO, "retryDelay": self.delay}]
        return {"error": body}


class OAuthError(Exception):
    """Refuses a request to a token endpoint, as RFC 6749 section 5.2 has it."""

    def __init__(self, code, description, status=400):
        super().__init__(f"{code}: {description}")
        self.status = status
        self.code = code
        self.description = description

    def document(self, _format_version):
        return {"error": self.code, "error_description": self.description}
