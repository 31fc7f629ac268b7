"""nbgrader's settings for the quiz. Every nbgrader command and formgrader read this file.

A course elsewhere loads it from its own nbgrader_config.py, which `python -m quiz course FOLDER`
writes.
"""

import sys
from pathlib import Path

from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.preprocessors import Execute

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from quiz.autograde import GradeAnswers, OnlyIfPrivate
from quiz.privacy import is_shared, settings_keep_private

c = get_config()  # noqa: F821

# The key and the papers are nobody else's: what nbgrader writes is private, and a course that
# others can open is refused.
settings_keep_private(Path.cwd())
shared = is_shared(Path.cwd())
c.Autograde.permissions = 440 if shared else 400
c.GenerateAssignment.permissions = c.GenerateFeedback.permissions = 660 if shared else 600
c.GenerateFeedback.preprocessors = [OnlyIfPrivate, *GenerateFeedback.preprocessors.default()]

c.CourseDirectory.course_id = "continual-learning"

# No code of a student's is run: the answers are read as data.
c.Autograde.autograde_preprocessors = [
    GradeAnswers if step is Execute else step
    for step in Autograde.autograde_preprocessors.default()
]
c.Autograde.pre_convert_hook = "quiz.submissions.before_grading"
# Should a cell be gone all the same, the score does not stay what it was.
c.OverwriteCells.add_missing_cells = True

# The latest before the deadline counts; what comes later neither counts nor takes its place.
c.ExchangeFactory.collect = "quiz.exchange.Collect"
c.ExchangeCollect.before_duedate = True
c.ExchangeCollect.update = True
c.LateSubmissionPlugin.penalty_method = "zero"

# Scores as decimals: 10, not 10.000000000000004.
c.ExportApp.plugin_class = "quiz.export.Csv"

# Nothing goes out before bank, deadline and folders are in order; feedback, with the key in it,
# not before the deadline.
c.ExchangeFactory.release_assignment = "quiz.exchange.ReleaseAssignment"
c.ExchangeFactory.release_feedback = "quiz.exchange.ReleaseFeedback"

# A page of feedback is made anew, or it would show what was so before a regrade.
c.GenerateFeedback.force = True

# Feedback opens with the result, and then has the questions.
c.GenerateFeedback.exporter_class = "quiz.feedback_page.FeedbackPage"

# For submissions that were downloaded from elsewhere as zip files.
c.FileNameCollectorPlugin.valid_ext = [".ipynb", ".json", ".txt"]
