"""How large a body may be, in bytes: for what reads requests whole (`ops/web_worker.py`) and for the doors.

Imports nothing: gunicorn's master reads it and shall not load the doors.
"""

LARGEST_FILE = 64 * 1024 * 1024  # an import; a city's member file is under 10 MB
LARGEST_JSON = 1024 * 1024  # whole files come as multipart/form-data
LARGEST_CALLBACK = 1024 * 1024
