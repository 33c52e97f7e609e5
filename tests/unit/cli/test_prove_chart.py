"""The plot of one fault."""

import re

from tocsin.cli.prove.chart import HEIGHT, MAX_POINTS, TOP, chart
from tocsin.cli.prove.timeline import Timeline


def points(svg, kind):
    found = re.search(rf'<polyline class="{kind}" points="([^"]*)"', svg)
    return [tuple(map(float, point.split(","))) for point in found[1].split()]


def test_a_line_has_the_rate_of_each_step():
    """Twice as many events are twice as high, and nothing is on the ground."""
    timeline = Timeline()
    timeline.deliveries.update({0: 100, 1: 50})
    heights = [y for _, y in points(chart(timeline, 1.0, ""), "deliveries")]

    assert 4 == len(heights)
    ground = heights[2]
    assert heights[3] == ground
    assert ground - heights[0] == 2 * (ground - heights[1])


def test_a_long_run_has_fewer_points_and_the_same_rates():
    """Steps are put together, so that a page of an hour is no bigger than one of a minute."""
    timeline = Timeline()
    timeline.acks.update(dict.fromkeys(range(4 * 3_600), 10))
    line = points(chart(timeline, 3_600.0, ""), "acks")

    assert len(line) <= MAX_POINTS
    assert 1 == len({y for _, y in line})
    assert TOP <= line[0][1] < HEIGHT


def test_a_part_of_a_step_at_the_end_is_no_fall():
    """What had no time to happen is not drawn as an outage."""
    timeline = Timeline()
    timeline.acks.update({0: 10, 1: 10, 2: 1})

    assert 1 == len({y for _, y in points(chart(timeline, 0.55, ""), "acks")})


def test_moments_at_one_place_share_a_label():
    """Their numbers would be written over one another."""
    timeline = Timeline(marks=[(1.0, "one"), (1.001, "two"), (1.002, "three"), (9.0, "four")])

    assert ["1–3", "4"] == re.findall(r'class="number"[^>]*>([^<]*)<', chart(timeline, 10.0, ""))


def test_no_run_at_all_is_drawn():
    """A fault that was broken off at once has an empty plot, not an error."""
    assert "<svg" in chart(Timeline(), 0.0, "nothing")
