"""Pigeon, an invented SMS provider: the example of a gateway adapter in a package of its own."""
