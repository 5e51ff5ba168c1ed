"""The worked lives, delivered over HTTP and read back over HTTP."""
