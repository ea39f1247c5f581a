"""Files from the wild, made by code, each with the one outcome that is right: shipped with these rows, or refused."""
