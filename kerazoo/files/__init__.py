"""Safe reading and atomic writing of files of every kind."""
