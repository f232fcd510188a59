"""The operators' command line: `./fleet`."""
