"""The receiver of the registry's notifications: a WSGI application of its own."""
