"""The tab Model Library: discover, installed, downloads, quarantine."""
