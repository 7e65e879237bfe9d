"""The pieces the page is made of: one component a file, its JavaScript and its CSS beside it."""
