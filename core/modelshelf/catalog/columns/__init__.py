"""The catalogue as mapped columns: built beside, switched in one step, searched in milliseconds."""
