"""Which video an address names, read as a browser reads it; what is sent to a platform is written anew.

An address is only a way to say a platform and an id: nothing of it is ever contacted. It is taken apart by the
rules of the WHATWG URL standard, because a lenient reader and a browser that differ about the host are how
such checks are passed; then host, path and parameters must match a table, or it is refused.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib import parse

LONGEST = 2_000
MOST_PARAMETERS = 50
PORTS = {"http": "80", "https": "443"}

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_ENDS = "".join(map(chr, range(0x21)))  # C0 controls and the space: stripped from both ends
_DROPPED = str.maketrans("", "", "\t\n\r")
_DOTS = str.maketrans("\u3002\uff0e\uff61", "...")
_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_SINGLE, _DOUBLE = re.compile(r"(?:\.|%2e)", re.IGNORECASE), re.compile(r"(?:\.|%2e){2}", re.IGNORECASE)


class NoVideo(ValueError):
    """The address names no video that can be looked up; the text says why, and quotes nothing."""


@dataclass(frozen=True)
class Link:
    """A video: `id` is the platform's, or for Instagram the word in its address. `url` is written by us."""

    platform: str
    id: str
    url: str


@dataclass(frozen=True)
class Address:
    """An http(s) address as a browser has it: host in lower case, path without dots, query undecoded."""

    host: str
    path: str
    query: str


def parse_address(text: str) -> Address:
    """The parts. Raises NoVideo for what a browser refuses, and for user names and ports, which hide hosts."""
    if len(text) > LONGEST:
        raise NoVideo(f"it is longer than {LONGEST:,} characters")
    text = text.strip(_ENDS).translate(_DROPPED)
    scheme = _SCHEME.match(text)
    if scheme is None or scheme[1].lower() not in PORTS:
        raise NoVideo("it is not an http or https address")
    rest = text[scheme.end() :].partition("#")[0]
    before, mark, query = rest.partition("?")
    authority, slash, path = before.replace("\\", "/").lstrip("/").partition("/")
    if "@" in authority:
        raise NoVideo("it bears a user name")
    host, _, port = authority.partition(":")
    if port not in {"", PORTS[scheme[1].lower()]}:
        raise NoVideo("it bears a port")
    return Address(_host(host), _path(path) if slash else "/", query if mark else "")


def read(text: str, *, simulated: bool = False) -> Link:
    """The video an address names; with `simulated`, those of the simulated platforms too. Raises NoVideo."""
    address = parse_address(text)
    found = HOSTS.get(address.host) or (SIMULATED.get(address.host) if simulated else None)
    if found is None:
        raise NoVideo("its host is none of TikTok's, YouTube's or Instagram's")
    return found(address)


def _host(text: str) -> str:
    """Percent-decoded, in the form domain names are compared in. Other scripts' look-alikes stay what they are."""
    try:
        decoded = parse.unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise NoVideo("its host cannot be read") from None
    host = unicodedata.normalize("NFKC", decoded).casefold().translate(_DOTS)
    if not _HOST.fullmatch(host):
        raise NoVideo("its host is none of TikTok's, YouTube's or Instagram's")
    return host


def _path(text: str) -> str:
    """`.` and `..` resolved, encoded or not; nothing else is decoded."""
    kept: list[str] = []
    segments = text.split("/")
    for place, segment in enumerate(segments):
        last = place == len(segments) - 1
        if _DOUBLE.fullmatch(segment):
            del kept[-1:]
            kept += [""] * last
        elif _SINGLE.fullmatch(segment):
            kept += [""] * last
        else:
            kept.append(segment)
    return "/" + "/".join(kept)


# -- TikTok

_TIKTOK_VIDEO = re.compile(r"/(?:@|%40)([A-Za-z0-9_.]{1,64})/video/([1-9][0-9]{0,18})/?")
_TIKTOK_NAMELESS = re.compile(r"/(?:embed(?:/v[0-9])?|player/v[0-9]|v)/[0-9]{1,19}(?:\.html)?/?")
_TIKTOK_SHORT = re.compile(r"/t/[^/]+/?")
SHORT = "it is a short link, which only the platform can resolve: open it, and give the address it leads to"


def _tiktok(address: Address) -> Link:
    match = _TIKTOK_VIDEO.fullmatch(address.path)
    if match:
        return Link("TIKTOK", match[2], f"https://www.tiktok.com/@{match[1]}/video/{match[2]}")
    if _TIKTOK_SHORT.fullmatch(address.path):
        raise NoVideo(SHORT)
    if _TIKTOK_NAMELESS.fullmatch(address.path):
        raise NoVideo("it lacks the creator's name: give https://www.tiktok.com/@<name>/video/<id>")
    raise NoVideo("it is no video of TikTok's: https://www.tiktok.com/@<name>/video/<id>")


def _short(_address: Address) -> Link:
    raise NoVideo(SHORT)


# -- YouTube

_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_YOUTUBE_PATH = re.compile(r"/(shorts|embed|live|v|e)/([A-Za-z0-9_-]{11})/?")
_NO_IDS = {"videoseries", "live_stream"}  # as long as an id, and players of lists and channels


def _youtube_link(video: str) -> Link:
    if not _YOUTUBE_ID.fullmatch(video) or video in _NO_IDS:
        raise NoVideo("it is no video of YouTube's: https://www.youtube.com/watch?v=<id>")
    return Link("YOUTUBE", video, f"https://www.youtube.com/watch?v={video}")


def _youtube(address: Address) -> Link:
    match = _YOUTUBE_PATH.fullmatch(address.path)
    if match:
        return _youtube_link(match[2])
    if address.path.rstrip("/") != "/watch":
        return _youtube_link("")
    try:
        named = parse.parse_qs(address.query, max_num_fields=MOST_PARAMETERS).get("v", [])
    except ValueError:
        raise NoVideo(f"it has more than {MOST_PARAMETERS} parameters") from None
    if len(set(named)) > 1:
        raise NoVideo("it names several videos")
    return _youtube_link(named[0] if named else "")


def _youtube_embed(address: Address) -> Link:
    match = _YOUTUBE_PATH.fullmatch(address.path)
    return _youtube_link(match[2] if match and match[1] in {"embed", "v"} else "")


def _youtu_be(address: Address) -> Link:
    return _youtube_link(address.path.removeprefix("/").removesuffix("/"))


# -- Instagram

_INSTAGRAM_POST = re.compile(
    r"(?:/[A-Za-z0-9_.]{1,30})?/(p|reel|reels|tv)/([A-Za-z0-9_-]{5,40})(?:/embed(?:/captioned)?)?/?"
)


def _instagram(address: Address) -> Link:
    match = _INSTAGRAM_POST.fullmatch(address.path)
    if address.path.startswith("/share/"):
        raise NoVideo(SHORT)
    if match is None:
        raise NoVideo("it is no post of Instagram's: https://www.instagram.com/reel/<code>/")
    kind = "reel" if match[1] == "reels" else match[1]
    return Link("INSTAGRAM", match[2], f"https://www.instagram.com/{kind}/{match[2]}/")


HOSTS: Mapping[str, Callable[[Address], Link]] = {
    "www.tiktok.com": _tiktok,
    "tiktok.com": _tiktok,
    "m.tiktok.com": _tiktok,
    "vm.tiktok.com": _short,
    "vt.tiktok.com": _short,
    "www.youtube.com": _youtube,
    "youtube.com": _youtube,
    "m.youtube.com": _youtube,
    "music.youtube.com": _youtube,
    "www.youtube-nocookie.com": _youtube_embed,
    "youtube-nocookie.com": _youtube_embed,
    "youtu.be": _youtu_be,
    "www.instagram.com": _instagram,
    "instagram.com": _instagram,
    "m.instagram.com": _instagram,
    "instagr.am": _instagram,
    "www.instagr.am": _instagram,
    "ig.me": _short,
}
"""Every host whose addresses are read, each with what a video's address looks like there."""

# The simulated platforms' own sites, as their answers name them. `.example` belongs to nobody.
SIMULATED: Mapping[str, Callable[[Address], Link]] = {
    "www.tiktok-simulator.example": _tiktok,
    "www.instagram-simulator.example": _instagram,
}
