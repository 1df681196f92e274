"""Which addresses name a video: read as a browser reads them, matched against a table, and written anew."""

import re

import pytest

from services.platforms import video_links

T = ("TIKTOK", "7400000000000000001")
Y = ("YOUTUBE", "dQw4w9WgXcQ")
I = ("INSTAGRAM", "C1a_b-2D3eF")  # noqa: E741 -- three platforms, three letters

NAMED = {
    "https://www.tiktok.com/@user/video/7400000000000000001": T,
    "http://tiktok.com/@user.name_9/video/7400000000000000001/": T,
    "https://m.tiktok.com/@user/video/7400000000000000001?is_from_webapp=1&x=%00#t": T,
    "HTTPS://WWW.TikTok.COM/@User/video/7400000000000000001": T,
    "https://www.tiktok.com:443/@user/video/7400000000000000001": T,
    "http://www.tiktok.com:80/@user/video/7400000000000000001": T,
    "https://www.tiktok.com/%40user/video/7400000000000000001": T,
    " \t\nhttps://www.tik\ttok.com/@us\ner/video/7400000000000000001 \r\n": T,
    "https:\\\\www.tiktok.com\\@user\\video\\7400000000000000001": T,
    "https:www.tiktok.com/@user/video/7400000000000000001": T,
    "https:////www.tiktok.com/@user/video/7400000000000000001": T,
    "https://www%2Etiktok%2ecom/@user/video/7400000000000000001": T,
    "https://ｗｗｗ．ｔｉｋｔｏｋ．ｃｏｍ/@user/video/7400000000000000001": T,
    "https://www。tiktok。com/@user/video/7400000000000000001": T,
    "https://www.tiktok.com/x/../@user/./video/%2e/7400000000000000001": T,
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ": Y,
    "https://www.youtube.com/watch/?app=desktop&v=dQw4w9WgXcQ&list=PL1&t=4s": Y,
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ&v=dQw4w9WgXcQ": Y,
    "https://m.youtube.com/watch?v=dQw4w9WgXcQ": Y,
    "https://music.youtube.com/watch?v=dQw4w9WgXcQ": Y,
    "https://youtube.com/shorts/dQw4w9WgXcQ?feature=share": Y,
    "https://www.youtube.com/embed/dQw4w9WgXcQ": Y,
    "https://www.youtube.com/live/dQw4w9WgXcQ": Y,
    "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ": Y,
    "https://youtu.be/dQw4w9WgXcQ?si=abc": Y,
    "https://www.instagram.com/p/C1a_b-2D3eF/": I,
    "https://instagram.com/reel/C1a_b-2D3eF?igsh=1": I,
    "https://www.instagram.com/reels/C1a_b-2D3eF/": I,
    "https://www.instagram.com/some.body/reel/C1a_b-2D3eF/": I,
    "https://www.instagram.com/p/C1a_b-2D3eF/embed/captioned/": I,
    "https://instagr.am/p/C1a_b-2D3eF/": I,
}
WRITTEN = {
    "TIKTOK": r"https://www\.tiktok\.com/@[A-Za-z0-9_.]+/video/[0-9]+",
    "YOUTUBE": r"https://www\.youtube\.com/watch\?v=[A-Za-z0-9_-]{11}",
    "INSTAGRAM": r"https://www\.instagram\.com/(p|reel|tv)/[A-Za-z0-9_-]+/",
}


@pytest.mark.parametrize("address", NAMED, ids=repr)
def test_an_address_that_a_browser_takes_to_a_video_names_it(address):
    link = video_links.read(address)
    assert (link.platform, link.id) == NAMED[address]


@pytest.mark.parametrize("address", NAMED, ids=repr)
def test_what_is_sent_to_a_platform_is_written_by_us(address):
    link = video_links.read(address)
    assert re.fullmatch(WRITTEN[link.platform], link.url)


@pytest.mark.parametrize(
    "address",
    [
        "https://vm.tiktok.com/ZMabc123/",
        "https://vt.tiktok.com/ZSabc/",
        "https://www.tiktok.com/t/ZTabc/",
        "https://www.instagram.com/share/reel/BAxyz/",
    ],
)
def test_a_short_link_is_refused_with_what_to_do(address):
    with pytest.raises(video_links.NoVideo, match=r"short link.*give the address it leads to"):
        video_links.read(address)


@pytest.mark.parametrize(
    "address", ["https://www.tiktok.com/embed/v2/7400000000000000001", "https://www.tiktok.com/player/v1/74"]
)
def test_an_address_without_the_creators_name_is_refused_with_what_to_give(address):
    with pytest.raises(video_links.NoVideo, match="lacks the creator's name"):
        video_links.read(address)


def test_the_simulators_sites_are_videos_pages_in_test_mode_only():
    address = "https://www.tiktok-simulator.example/@sim.single/video/7400000000000000001"
    link = video_links.read(address, simulated=True)
    assert link.url == "https://www.tiktok.com/@sim.single/video/7400000000000000001"
    with pytest.raises(video_links.NoVideo):
        video_links.read(address)


@pytest.mark.parametrize(
    "address",
    [
        "https://www.youtube.com/embed/videoseries?list=PL1",
        "https://www.youtube.com/embed/live_stream?channel=UC1",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ&v=aaaaaaaaaaa",
        "https://www.youtube.com/watch?" + "&".join(f"a{n}=1" for n in range(60)),
        "https://www.youtube.com/@handle",
        "https://www.youtube.com/playlist?list=PL1",
        "https://www.tiktok.com/@user",
        "https://www.tiktok.com/@user/video/0",
        "https://www.tiktok.com/@user/video/74000000000000000011",
        "https://www.tiktok.com/@user/photo/7400000000000000001",
        "https://www.tiktok.com/@user/video/7400000000000000001/../1x",
        "https://www.instagram.com/somebody/",
        "https://www.instagram.com/reels/audio/123456/",
        "https://www.youtube-nocookie.com/watch?v=dQw4w9WgXcQ",
    ],
)
def test_other_pages_of_the_platforms_name_no_video(address):
    with pytest.raises(video_links.NoVideo):
        video_links.read(address)
