"""What a text says: templates, rendering, encoding and parts."""
