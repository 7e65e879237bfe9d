"""A scanner per format; each enters by the entry points `modelshelf.scanners`, as a plug-in's would."""
