"""The creators are the same on every start, and their numbers only grow."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from simulators import people, videos

NOW = people.EPOCH + 50 * people.DAY
creators = st.sampled_from(people.CREATORS)
instants = st.integers(people.EPOCH - 400 * people.DAY, people.EPOCH + 4_000 * people.DAY)


def test_there_are_120_creators_with_unique_plain_names():
    names = [creator.username for creator in people.CREATORS]
    assert len(names) == len(set(names)) == 120
    assert all(name.isascii() and name.startswith("sim.") for name in names)
    assert names[:3] == ["sim.ada", "sim.noor", "sim.kenji"]


def test_video_counts_run_from_none_to_exactly_five_thousand():
    for now in (0, NOW, NOW * 2):
        counts = {creator.username: videos.count(creator, now) for creator in people.CREATORS}
        assert counts["sim.quiet"] == min(counts.values()) == 0
        assert counts["sim.prolific"] == max(counts.values()) == 5_000
        assert all(20 <= counts[creator.username] <= 120 for creator in people.CREATORS[:12])


def test_the_daily_creator_posts_one_video_a_day():
    daily = people.BY_USERNAME["sim.daily"]
    assert videos.count(daily, NOW + people.DAY) - videos.count(daily, NOW) == 1
    newest = next(videos.before(daily, None, NOW))
    assert NOW - people.DAY < newest.create_time <= NOW


def test_some_numbers_are_beyond_32_bits():
    viral = people.BY_USERNAME["sim.viral"]
    assert people.followers(viral, NOW) > 2**31
    assert max(video.views() for video in videos.before(viral, None, NOW)) > 2**32


def test_a_known_video_never_changes_its_place_or_words():
    video = list(videos.before(people.BY_USERNAME["sim.ada"], None, people.EPOCH))[-1]
    assert (video.id, video.create_time, video.title()) == (
        str(video.create_time << 32),
        1774310125,
        "The first compiler, explained in one minute",
    )


@given(creators, instants)
def test_times_fall_strictly_from_newest_to_oldest_and_none_is_in_the_future(creator, now):
    times = [video.posted_ms for video in list(videos.before(creator, None, now))[:120]]
    assert all(newer > older for newer, older in itertools.pairwise(times))
    assert all(time <= max(now, people.EPOCH) * 1000 for time in times)


@given(creators, instants, st.integers(0, 100 * people.DAY))
def test_numbers_never_fall_with_time(creator, now, later):
    assert people.followers(creator, now) <= people.followers(creator, now + later)
    assert videos.count(creator, now) <= videos.count(creator, now + later)
    for video in list(videos.before(creator, None, now))[:5]:
        after = videos.Video(creator, video.n, now + later)
        assert after.posted_ms == video.posted_ms
        assert video.views() <= after.views()
        assert video.likes() <= after.likes()


@given(creators, st.data())
def test_a_cursor_splits_the_videos_without_losing_one(creator, data):
    everything = list(videos.before(creator, None, NOW))
    cursor = data.draw(st.integers(0, NOW * 1000) | st.sampled_from([v.posted_ms for v in everything] or [0]))
    older = [video.n for video in videos.before(creator, cursor, NOW)]
    assert older == [video.n for video in everything if video.posted_ms < cursor]


@given(creators, st.data())
def test_an_id_finds_its_video_and_nothing_else(creator, data):
    total = videos.count(creator, NOW)
    if total:
        video = videos.Video(creator, data.draw(st.integers(0, total - 1)), NOW)
        assert len(video.id) == 19
        assert videos.find(video.id, NOW) == video
        assert videos.find(str(int(video.id) + (1 << 32)), NOW) is None
    assert videos.find(data.draw(st.text(max_size=30)), NOW) is None


async def test_what_the_api_answers_grows_with_the_clock(tiktok):
    access = (await tiktok.connect(creator="sim.daily"))["access_token"]
    fields = "follower_count,likes_count,video_count"
    before = (await tiktok.user(access, fields))[1]["data"]["user"]
    tiktok.world.clock.advance(7_000)
    pair = (await tiktok.refresh((await tiktok.connect(creator="sim.daily"))["refresh_token"]))[1]
    tiktok.world.clock.advance(3 * people.DAY)
    access = (await tiktok.refresh(pair["refresh_token"]))[1]["access_token"]
    after = (await tiktok.user(access, fields))[1]["data"]["user"]
    assert after["video_count"] - before["video_count"] in (3, 4)
    assert after["follower_count"] > before["follower_count"]
    assert after["likes_count"] > before["likes_count"]
