"""The chat template of the sample model. It does what the one layer cannot: it picks the topic of the last message."""

from modelshelf.samples.bigram import END, control
from modelshelf.samples.corpus import OTHERWISE, TOPICS, Topic

_TURNS = """\
{{- '<s>' -}}
{%- for message in messages -%}
{{- '<|' ~ message['role'] ~ '|>' ~ message['content'] -}}
{%- if message['role'] == 'assistant' -%}{{- '@END@' -}}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|assistant|>' -}}
{%- set said = ' ' ~ messages[-1]['content'] | lower ~ ' ' -%}
@TOPICS@
{%- endif -%}
"""


def chat_template() -> str:
    """The template in Jinja, as it stands in the model's metadata."""
    asked = [topic for topic in TOPICS if topic.name != OTHERWISE]
    tests = "\n".join(f"{{%- elif {_mentions(topic)} -%}}{_say(topic.name)}" for topic in asked)
    choice = f"{tests.replace('elif', 'if', 1)}\n{{%- else -%}}{_say(OTHERWISE)}{{%- endif -%}}"
    return _TURNS.replace("@END@", END).replace("@TOPICS@", choice)


def _mentions(topic: Topic) -> str:
    return " or ".join(f"' {word.replace('_', ' ')}' in said" for word in topic.asked_by)


def _say(topic: str) -> str:
    return "{{- '" + control(topic) + "' -}}"
