"""What is sent, when, and who decided it: campaigns, their approval, and the launch of their runs."""
