"""What all views have in common, without a page."""

import html
import json

import pytest
from ipywidgets.widgets.widget import _instances

import cl_helpers as cl
from cl_helpers.widgets import Bowls, one_in_a_cell


@pytest.fixture
def place(monkeypatch):
    """The cell that is being run, and which time."""
    place = ["a cell", "first time"]
    monkeypatch.setattr(one_in_a_cell, "_place", lambda: tuple(place))
    monkeypatch.setattr(one_in_a_cell.OneInACell, "_in_cell", {})
    return place


def test_a_cell_that_is_run_again_closes_the_one_before(place, capsys):
    one, beside, other, again = Bowls(), Bowls(), Bowls(), Bowls()
    one._ipython_display_(), beside._ipython_display_()
    place[:] = "another cell", "second time"
    other._ipython_display_()
    assert all(view.comm is not None for view in (one, beside, other))
    place[:] = "a cell", "third time"
    again._ipython_display_()
    assert [view.comm is None for view in (one, beside, other, again)] == [True, True, False, False]
    again._ipython_display_()  # twice in the cell, or the same one in a later run of it
    place[1] = "fourth time"
    again._ipython_display_()
    assert again.comm is not None


def test_a_closed_view_leaves_nothing_behind():
    before = set(_instances)
    view = Bowls()
    assert set(_instances) > before
    view.close()
    assert set(_instances) == before


def test_the_copy_holds_the_state_and_what_was_last_seen():
    view = Bowls(6)
    view.lam = 0.5
    copy = view.copy().data
    state = json.loads(html.unescape(copy.split('data-state="')[1].split('"')[0]))
    assert {k: state[k] for k in ("view", "lam", "penalty")} == {
        "view": "bowls", "lam": 0.5, "penalty": "diagonal",
    }  # fmt: skip
    assert "<img" not in copy
    view.set_trait("words", 'A "is" <kept>.')
    view.set_trait("still", "<svg></svg>")
    copy = view.copy().data
    assert 'alt="A &quot;is&quot; &lt;kept&gt;."' in copy
    assert "data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=" in copy
    assert "<kept>" not in copy


def test_every_widget_of_the_course_can_be_had():
    assert set(cl.widgets.__all__) >= {
        *("Bowls", "Credit", "Curvature", "Importance", "Lab", "Predict", "Projection", "Quiz"),
        *("Schedule", "Sweep", "TradeOff"),
    }
    assert all(getattr(cl.widgets, name) for name in cl.widgets.__all__)
