"""What a client did before the stand-in, as rows of a table.

SPDX-License-Identifier: MIT
"""

import re

# Numbers that differ from run to run; the table is to differ only when a client does.
OPAQUE = re.compile(r"profiles/[^/:]+$")
SHOWN_HEADERS = (
    "user-agent",
    "x-goog-api-client",
    "x-goog-api-format-version",
    "content-type",
    "accept",
    "accept-encoding",
    "content-encoding",
    "connection",
)
# Of the connection, not of the client.
OTHER_HEADERS = {"host", "content-length", "authorization"}
AUTH_CALLS = ("token", "sts", "impersonation", "subject_token")


def _fields(document):
    return ", ".join(document)


def _labels(labels):
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items())) or "none"


def _line(request):
    path = OPAQUE.sub("profiles/{id}", request.path).replace("lab-project", "{project}")
    query = "&".join(f"{name}={value}" for name, value in request.query.items())
    return f"{request.method} {path}" + (f"?{query}" if query else "")


def _header_rows(requests):
    first = requests[0].headers
    rows = {f"header {name}": first.get(name, "not sent") for name in SHOWN_HEADERS}
    others = set(first) - set(SHOWN_HEADERS) - OTHER_HEADERS
    rows["other headers"] = ", ".join(sorted(others)) or "none"
    scheme = first.get("authorization", "").partition(" ")[0]
    rows["authorization"] = f"{scheme} and a token" if scheme else "none"
    return rows


def _connection_rows(standin):
    connections = standin.connections_of("api")
    protocols = sorted({f"{one.tls}, {one.protocol}" for one in connections})
    return {
        "protocol": "; ".join(protocols),
        "connections to the API": str(len(connections)),
        "most open at once": str(standin.most_open("api")),
    }


def _call_rows(standin):
    creates, updates = standin.requests_of("create"), standin.requests_of("update")
    echoed = {field for one in updates for field in one.json}
    kinds = sorted({kind for one in creates for kind in one.json["profileType"]})
    return {
        "create": "; ".join(sorted({_line(one) for one in creates})),
        "create: fields": _fields(creates[0].json),
        "create: types asked for": ", ".join(kinds),
        "deployment labels": _labels(creates[0].json["deployment"]["labels"]),
        "update": "; ".join(sorted({_line(one) for one in updates})),
        "update: fields": _fields(sorted(echoed)),
        "update: same headers as create": _yes(_same_headers(creates[0], updates[0])),
    }


def _same_headers(one, other):
    differ = {"content-length", "authorization"}
    return {k: v for k, v in one.headers.items() if k not in differ} == {
        k: v for k, v in other.headers.items() if k not in differ
    }


def _yes(true):
    return "yes" if true else "no"


def _types(message):
    text = message.string_table
    return ", ".join(f"{text[one.type]}/{text[one.unit]}" for one in message.sample_type)


def _profile_rows(standin):
    rows = {}
    for kind in sorted({upload.kind for upload in standin.uploads}):
        messages = [upload.message for upload in standin.uploads if upload.kind == kind]
        uploads = [upload for upload in standin.uploads if upload.kind == kind]
        # That with most in it: a profile of an idle second may be empty.
        one = max(messages, key=lambda message: len(message.sample))
        text = one.string_table
        period = f"{text[one.period_type.type]}/{text[one.period_type.unit]}"
        keys = sorted({text[label.key] for s in one.sample for label in s.label})
        rows |= {
            f"{kind}: profile labels": _labels(uploads[0].labels),
            f"{kind}: sample types": _types(one),
            f"{kind}: period": f"{one.period} {period}",
            f"{kind}: time set": _yes(one.time_nanos),
            f"{kind}: duration set": _yes(one.duration_nanos),
            f"{kind}: default sample type": text[one.default_sample_type] or "not set",
            f"{kind}: mappings": _yes(one.mapping),
            f"{kind}: comments": _yes(one.comment),
            f"{kind}: sample labels": ", ".join(keys) or "none",
        }
    return rows


def _other_rows(standin):
    tokens = [one for one in standin.requests if one.call in AUTH_CALLS]
    metadata = {one.path for one in standin.requests_of("metadata")}
    short = sorted(path.removeprefix("/computeMetadata/v1") or "/" for path in metadata)
    return {
        "token from": "; ".join(sorted({_line(one) for one in tokens})) or "metadata server",
        "metadata asked for": ", ".join(short) or "none",
        "discovery document": _yes(standin.requests_of("discovery")),
        "requests refused": str(len(standin.problems)),
    }


def rows_of(standin):
    """Name to value, in the table's order."""
    return {
        **_connection_rows(standin),
        **_call_rows(standin),
        **_header_rows(standin.requests_of("create")),
        **_profile_rows(standin),
        **_other_rows(standin),
    }


def names_of(columns):
    """The rows' names over all columns, each where the first column that has it has it."""
    names = []
    for rows in columns.values():
        place = 0
        for name in rows:
            if name in names:
                place = names.index(name) + 1
            else:
                names.insert(place, name)
                place += 1
    return names


def as_text(columns):
    """One block for each row: values are too long for a screen's width."""
    width = max(len(name) for name in columns)
    blocks = []
    for name in names_of(columns):
        lines = [f"  {who:{width}}  {rows.get(name, '-')}" for who, rows in columns.items()]
        blocks.append("\n".join([name, *lines]))
    return "\n".join(blocks) + "\n"


def _cell(text):
    if text in ("-", "yes", "no", "none", "not set", "not sent"):
        return text
    return "`" + text.replace("|", "\\|") + "`"


def as_markdown(columns):
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in names_of(columns):
        cells = [_cell(rows.get(name, "-")) for rows in columns.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
