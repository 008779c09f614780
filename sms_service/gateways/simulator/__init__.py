"""The adapter of the simulator (`sms_service.simulator`), a provider that reaches no real phone."""
