"""The doctor: every broken set-up is named by its line, and nothing is changed."""
