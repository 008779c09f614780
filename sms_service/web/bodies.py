"""How large a request's body may be, in bytes: for the server, which reads whole requests (`ops/web_worker.py`), and
for the doors.

This module imports nothing, since gunicorn's master imports it and must not load the doors.
"""

LARGEST_FILE = 64 * 1024 * 1024  # an import; a city's member file is under 10 MB
LARGEST_JSON = 1024 * 1024  # whole files come as multipart/form-data
LARGEST_CALLBACK = 1024 * 1024
