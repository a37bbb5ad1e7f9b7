"""What may be written where requests go: hosts, URLs, paths and the values of headers.

What belongs here: allow-lists, so that every parser between here and the API reads the same.  What does not: which of
them a setting or a request has to keep to (`config`, `wire`).
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from caxton_async.errors import ConfigurationError

# A header value that cannot break out of its line nor be read in two ways: visible ASCII, inner spaces (RFC 9110).
HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
# A path may be given by a user; anything that a URL parser would normalise, decode or cut off is refused.
_PATH = re.compile(r"/?[A-Za-z0-9._~{}-]+(?:/[A-Za-z0-9._~{}-]+)*")
# What names a host to every parser alike: no escapes, no dot at the end.
_HOST = re.compile(r"[a-z0-9._:-]*[a-z0-9]")


def is_loopback(host: str) -> bool:
    """Tell whether `host` is this machine by its literal name: no look-alike, nothing that DNS decides."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def split_url(url: object, name: str) -> SplitResult:
    """Parse a URL.

    **Raises** ConfigurationError, which never shows the URL itself, for every part that could mislead.
    """
    if not isinstance(url, str) or not url.isascii() or any(c <= " " or c in {"\x7f", "\\"} for c in url):
        raise ConfigurationError(f"{name} is not a URL of visible ASCII characters")
    try:
        parts = urlsplit(url)
        if parts.port != 0 and _HOST.fullmatch(parts.hostname or ""):
            return parts
    except ValueError:
        pass
    raise ConfigurationError(f"{name} needs a plain host name, with no dot at its end, and a port that can be used")


def is_plain_path(path: object) -> bool:
    """Tell whether every URL parser leaves `path` as it is: nothing escaped, cut off or shortened (RFC 3986, 5.2.4)."""
    return isinstance(path, str) and bool(_PATH.fullmatch(path)) and not {".", ".."} & set(path.split("/"))
