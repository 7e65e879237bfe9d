"""The sources that come with Modelshelf."""
