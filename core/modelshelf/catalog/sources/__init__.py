"""The kinds of sources that come with Modelshelf."""
