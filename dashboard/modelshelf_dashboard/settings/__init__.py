"""The tab LLM Settings: providers with their models, this machine, status."""
