"""The UI as a person uses it: a real Chromium, the real ``rpsync ui``, a tiny sandbox."""
