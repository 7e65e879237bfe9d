"""The providers that come with the application; each enters by the entry points `modelshelf.providers`."""
