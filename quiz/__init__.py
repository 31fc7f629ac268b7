"""The quiz, the instructor's side: bank, build, grading, reports. Students never get this folder."""
