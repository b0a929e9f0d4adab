"""Masks secrets in what a program logs.

    logging.getLogger().addFilter(RedactFilter())          # or on a handler, which sees the records of all loggers
    structlog.configure(processors=[..., sanitize_processor, JSONRenderer()])
    sanitize_log_message("password=admin")                 # 'password=•••password•••'

A value is masked when its name says that it is secret, however short it is, when it has the format of a vendor's token,
and when it was given to Redactor(values=...). Tracebacks, extra fields and nested structures are masked too. Put
sanitize_processor last before the renderer. The tables are generated from Keephold's rules.
"""
import base64
import json
import logging
import re
import traceback
from pathlib import Path
from urllib.parse import quote, quote_plus

__all__ = ["Redactor", "RedactFilter", "sanitize_log_message", "sanitize_processor"]

_TABLES = json.loads((Path(__file__).parent / "tables.json").read_text(encoding="utf-8"))
_SCHEMES = "|".join(map(re.escape, _TABLES["schemes"]))
_LITERALS = frozenset(_TABLES["literals"])
_JOINED = str.maketrans("", "", "_-.")

# A name and what stands between it and its value; the value: quoted, a scheme with what it carries, or a bare word.
_NAME = re.compile(r"""([A-Za-z0-9_.\-]+)(["'`\])\s\\?+]*[=:][ \t=>(\[:~]*)""")
_VALUE = re.compile(
    r"""(?P<quote>\\["'`])(?P<quoted>(?:(?!(?P=quote))[^\n])*)
       |(?P<plain>["'`])(?P<inner>(?:\\.|(?!(?P=plain))[^\\\n])*)
       |(?P<scheme>(?i:%s)\ +)?(?P<bare>[^\s,;"'&)}\]<{]+)""" % _SCHEMES,
    re.VERBOSE,
)
_BEARER = re.compile(r"(?i)\b(bearer )([^\s,;\"'&)}\]<]+)")
_PREFIXED = re.compile(r"\b([sr]k_(?:live|test)_)([A-Za-z0-9_.\-]+)")
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\Z)", re.S)
_ADDRESS = re.compile(r"(://[^\s:/@]*:)([^\s/@]+)(@)")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_DEEPEST = 32


def _mask(name):
    return "•••%s•••" % name.strip("-.")


def _forms(value):
    """The forms that a value is written in: as it is, by lines, in JSON, Python and URLs, in hex, in base64 at all alignments."""
    raw = value.encode("utf-8", "surrogatepass")
    forms = {value, value.strip(), json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1], quote(raw, safe=""), quote_plus(raw), raw.hex(), raw.hex().upper()}
    lines = value.splitlines()
    if len(lines) > 1:
        forms.update(line.strip() for line in lines if len(line.strip()) >= 8 and not line.startswith("-----"))
    whole = base64.b64encode(raw).decode()
    for skip in range(3):  # what stands before and behind shares the characters at the edges
        text = base64.b64encode(b"\0" * skip + raw).decode().rstrip("=")
        text = text[(0, 2, 3)[skip] : len(text) - ((skip + len(raw)) % 3 != 0)]
        forms.update((text, text.translate(_URL_SAFE), whole, whole.translate(_URL_SAFE)))
    return {f for f in forms if len(f) >= _SHORTEST}


_SHORTEST = 6
_URL_SAFE = str.maketrans("+/", "-_")


class Redactor:
    """Masks texts and structures. values are secrets by name, which are masked in every form; patterns are further expressions by name."""

    def __init__(self, values=None, patterns=None, names=()):
        self._contains = [*_TABLES["contains"], *(n.lower().translate(_JOINED) for n in names)]
        self._values = sorted(
            ((f, n) for n, v in dict(values or {}).items() if len(v) >= _SHORTEST for f in _forms(v)), key=lambda pair: (-len(pair[0]), pair)
        )
        tokens = [(t["id"], re.compile(t["pattern"], re.I if t["fold"] else 0)) for t in _TABLES["tokens"]]
        self._tokens = tokens + [(n, re.compile(p)) for n, p in (patterns or {}).items()]

    def secret_name(self, name):
        """Says that a name calls its value a secret."""
        flat = str(name).lower().translate(_JOINED)
        return any(s in flat for s in self._contains) or flat.endswith(tuple(_TABLES["ends"]))

    def text(self, text):
        """Masks the secrets in a text."""
        for value, name in self._values:
            text = text.replace(value, _mask(name))
        text = _PEM.sub(_mask("private-key"), text)
        text = self._assigned(text)
        text = _BEARER.sub(lambda m: m[0] if m[2].startswith("•••") else m[1] + _mask("bearer"), text)
        text = _PREFIXED.sub(lambda m: m[1] + _mask("key"), text)
        text = _ADDRESS.sub(lambda m: m[0] if m[2].startswith("•••") else m[1] + _mask("password") + m[3], text)
        for name, expression in self._tokens:
            text = expression.sub(_mask(name), text)
        return text

    def _assigned(self, text):
        out, at = [], 0
        while True:
            m = _NAME.search(text, at)
            if not m:
                return "".join(out) + text[at:]
            v = _VALUE.match(text, m.end()) if self.secret_name(m[1]) else None
            if not v:
                out.append(text[at : m.end(1)])  # what follows may be an assignment itself
                at = m.end(1)
                continue
            out.append(text[at : m.end()] + self._masked(m[1], v))
            at = v.end()

    @staticmethod
    def _masked(name, v):
        quote = v["quote"] or v["plain"]
        if quote:
            value = v["quoted"] if v["quote"] else v["inner"]
            if not value or value.startswith("•••"):
                return v[0]
            scheme = re.match("(?i)(?:%s) " % _SCHEMES, value)
            kept = scheme[0] if scheme and len(value) > len(scheme[0]) else ""
            return quote + kept + _mask(name)
        if v["bare"].lower() in _LITERALS or v["bare"].startswith("•••"):
            return v[0]
        return (v["scheme"] or "") + _mask(name)

    def value(self, value, name="", depth=0):
        """Masks a value of any kind: texts, and what mappings, lists and exceptions hold. What it gets stays as it is."""
        if name and self.secret_name(name) and value not in (None, "", True, False):
            return _mask(str(name))
        if depth > _DEEPEST:
            return "•••"
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self.text(value.decode("utf-8", "replace"))
        if isinstance(value, dict):
            return {k: self.value(v, k if isinstance(k, str) else "", depth + 1) for k, v in value.items()}
        if isinstance(value, (list, set, frozenset)) or type(value) is tuple:
            return type(value)(self.value(v, "", depth + 1) for v in value)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        shown = str(value)
        masked = self.text(shown)
        return value if masked == shown and not isinstance(value, BaseException) else masked


_DEFAULT = Redactor()


def sanitize_log_message(message):
    """Masks the secrets in a message."""
    return _DEFAULT.text(str(message))


def _traceback(info):
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    return "".join(traceback.format_exception(*info)).rstrip("\n")


def sanitize_processor(logger, method_name, event_dict, redactor=_DEFAULT):
    """A structlog processor. A traceback that is still to be formatted is formatted here, and masked."""
    info = event_dict.pop("exc_info", None)
    if info:
        if info is True:
            import sys

            info = sys.exc_info()
        if info != (None, None, None):
            event_dict["exception"] = _traceback(info)
    for key, value in list(event_dict.items()):
        event_dict[key] = value if key.startswith("_") else redactor.value(value, key)
    return event_dict


class RedactFilter(logging.Filter):
    """Masks a record for all who see it after: message, arguments, traceback, stack and extra fields."""

    def __init__(self, redactor=_DEFAULT):
        super().__init__()
        if not isinstance(redactor, Redactor):  # better here than where something is logged
            raise TypeError("RedactFilter takes a Redactor: RedactFilter(Redactor(values={'NAME': value}))")
        self._redactor = redactor

    def filter(self, record):
        try:
            message = record.getMessage()
        except Exception:  # arguments that do not fit: logging would print them in clear
            message = "%s %s" % (record.msg, record.args)
        record.msg, record.args = self._redactor.text(message), None
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = self._redactor.text(_traceback(record.exc_info))
        elif record.exc_text:
            record.exc_text = self._redactor.text(record.exc_text)
        record.exc_info = None
        if record.stack_info:
            record.stack_info = self._redactor.text(record.stack_info)
        for name in set(vars(record)) - _STANDARD:
            setattr(record, name, self._redactor.value(getattr(record, name), name))
        return True
