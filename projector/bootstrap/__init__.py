"""The one place where parts are put together: a file for each process, which imports no other."""
