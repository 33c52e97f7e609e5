"""Services of the guide's application."""
