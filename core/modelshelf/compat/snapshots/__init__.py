"""What engines support, a dated list each (`<kind>.json`), and the readers that draw the lists from their sources."""
