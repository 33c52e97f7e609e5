"""SoftFactory: the application of the integration guide, as its reader would have it."""
