"""The student's side of the quiz: the answer sheet and its widget; no key, no torch.

Imports the leaves and the base of the widgets; the instructor's `quiz` imports it.
"""
