"""What `?` explains: the topics, and what the keyboard does."""

from modelshelf_dashboard.help.topics import TOPICS, Topic, keys, topics

__all__ = ["TOPICS", "Topic", "keys", "topics"]
