"""`python -m sms_service`."""

from sms_service.cli import main

main(prog_name="python -m sms_service")
