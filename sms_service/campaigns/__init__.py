"""What is sent when, and who said so: campaigns, their approval, and the launch of their runs."""
