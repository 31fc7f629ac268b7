"""The quiz, the instructor's side: bank, build, grading, reports. Students do not get it."""
