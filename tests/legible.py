"""What can be read in a figure, and whether all of it can."""

from itertools import combinations


def texts_of(figure):
    """All that can be read, each with its place in pixels."""
    renderer = figure.canvas.get_renderer()
    found = []
    for ax in figure.axes:
        axis_texts = [ax.title, ax._left_title, ax._right_title]
        if ax.axison:
            axis_texts += [ax.xaxis.label, ax.yaxis.label]
            axis_texts += [*ax.get_xticklabels(), *ax.get_yticklabels()]
        found += [*ax.texts, *axis_texts]
    return [(t, t.get_window_extent(renderer)) for t in found if t.get_text().strip()]


def assert_legible(figure, texts):
    """Large enough, all of them in the picture, and none over another."""
    for text, box in texts:
        assert text.get_fontsize() >= 9, text
        inside = figure.bbox.padded(0.5)
        assert inside.x0 <= box.x0 <= box.x1 <= inside.x1, text
        assert inside.y0 <= box.y0 <= box.y1 <= inside.y1, text
    for (one, a), (other, b) in combinations(texts, 2):
        assert not a.padded(-1).overlaps(b.padded(-1)), (one, other)
