"""The file server on Windows: the same application, for a pair whose servers run Windows."""
