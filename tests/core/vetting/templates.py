"""Chat templates: as the well-known families write them, and ways out of a sandbox or into endless work."""

from collections.abc import Iterator
from pathlib import Path

BAD: dict[str, str] = {
    "class": "{{ ''.__class__ }}",
    "item": "{{ ''['__class__'] }}",
    "joined": "{{ ''['__cla' ~ 'ss__'] }}",
    "added": "{{ ''['__cla' + 'ss__'] }}",
    "neighbours": "{{ ''['__cla' 'ss__'] }}",
    "hex": "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "reversed": "{{ ''['__ssalc__'[::-1]] }}",
    "reverse filter": "{{ ''['__ssalc__' | reverse] }}",
    "join filter": "{{ ''[['_', '_class_', '_'] | join] }}",
    "join method": "{{ ''['_'.join(['', '_class_', ''])] }}",
    "replaced": "{{ ''['@@class@@'.replace('@', '_')] }}",
    "replace filter": "{{ ''['@@class@@' | replace('@', '_')] }}",
    "repeated": "{{ ''['_' * 2 ~ 'class' ~ '_' * 2] }}",
    "formatted": "{{ ''['%sclass%s' | format('__', '__')] }}",
    "by percent": "{{ ''['%sclass%s' % ('__', '__')] }}",
    "by a variable": "{% set k = '__cl' ~ 'ass__' %}{{ ''[k] }}",
    "by two variables": "{% set a = '_' %}{% set k = a ~ a ~ 'class' ~ a ~ a %}{{ ''[k] }}",
    "by a block": "{% set k %}__class__{% endset %}{{ ''[k] }}",
    "by a namespace": "{% set n = namespace(k='') %}{% set n.k = '__cl' ~ 'ass__' %}{{ ''[n.k] }}",
    "by a new namespace": "{% set n = namespace(k='__cl' ~ 'ass__') %}{{ ''[n.k] }}",
    "by a loop": "{% for k in ['__cl' ~ 'ass__'] %}{{ ''[k] }}{% endfor %}",
    "by a macro": "{% macro f(k) %}{{ ''[k] }}{% endmacro %}{{ f('__cl' ~ 'ass__') }}",
    "by a named argument": "{% macro f(k) %}{{ ''[k] }}{% endmacro %}{{ f(k='__cl' ~ 'ass__') }}",
    "by with": "{% with k = '__cl' ~ 'ass__' %}{{ ''[k] }}{% endwith %}",
    "by a dict": "{% set d = {'k': '__cl' ~ 'ass__'} %}{{ ''[d.k] }}",
    "by a list": "{% set d = ['__cl' ~ 'ass__'] %}{{ ''[d[0]] }}",
    "by the special token": "{{ ''[bos_token] }}",
    "attr": "{{ '' | attr('__class__') }}",
    "map attribute": "{{ [''] | map(attribute='__class__') | list }}",
    "map attr": "{{ [''] | map('attr', '__class__') | list }}",
    "dotted attribute": "{{ [messages] | map(attribute='a.__class__') | list }}",
    "sort attribute": "{{ [''] | sort(attribute='__class__') }}",
    "selectattr": "{{ [''] | selectattr('__class__') | list }}",
    "groupby": "{{ [''] | groupby('__class__') }}",
    "sum attribute": "{{ [''] | sum(attribute='__class__') }}",
    "computed attribute": "{{ [''] | map(attribute='__cl' ~ 'ass__') | list }}",
    "computed filter": "{{ [''] | map('at' ~ 'tr', 'x') | list }}",
    "unknown filter": "{{ '' | shell }}",
    "import": "{% import 'os' as os %}",
    "from": "{% from 'a' import b %}",
    "include": "{% include '/etc/passwd' %}",
    "extends": "{% extends 'x' %}",
    "block": "{% block a %}{% endblock %}",
    "self": "{{ self.__init__.__globals__ }}",
    "cycler": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "lipsum": "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "joiner": "{{ joiner.__init__ }}",
    "bare cycler": "{{ cycler('a', 'b') }}",
    "request": "{{ request.application }}",
    "config": "{{ config.items() }}",
    "format": "{{ '{0.__class__}'.format('') }}",
    "format item": "{{ '{0[x]}'.format({}) }}",
    "format of a variable": "{% set f = '{0.__class__}' %}{{ f.format('') }}",
    "format_map": "{{ '{a.__class__}'.format_map({'a': ''}) }}",
    "unknown method": "{{ messages.__len__() }}",
    "encode": "{{ 'x'.encode() }}",
    "generator frame": "{{ (messages | map('upper')).gi_frame }}",
    "mro": "{{ messages.mro() }}",
    "call of a call": "{{ raise_exception('x')() }}",
    "call of an item": "{{ messages[0]['content']() }}",
    "call of a variable": "{{ popen('id') }}",
    "call of a set": "{% set f = messages.append %}{{ f(1) }}",
    "star": "{{ range(*messages) }}",
    "two stars": "{{ dict(**messages) }}",
    "builtins": "{{ __builtins__ }}",
    "cve": "{% for x in ().__class__.__base__.__subclasses__() %}{% if 'warning' in x.__name__ %}"
    "{{ x()._module.__builtins__['__import__']('os').popen('id').read() }}{% endif %}{% endfor %}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "repeat": "{{ 'a' * 999999999 }}",
    "repeat twice": "{{ 'a' * 9999 * 9999 }}",
    "large number": "{{ range(99999999) | list }}",
    "wide": "{{ '%999999999d' | format(1) }}",
    "wide braces": "{{ '{:999999999}'.format(1) }}",
    "loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}x{% endfor %}"
    "{% endfor %}{% endfor %}",
    "loops by a variable": "{% set n = 99999 %}{% for a in range(n) %}{% for b in range(n) %}x{% endfor %}{% endfor %}",
    "loops over a product": "{% set n = 999 * 999 %}{% for a in range(n) %}{% for b in range(n) %}"
    "x{% endfor %}{% endfor %}",
    "loops over text": "{% set s = 'a' * 9999 %}{% for a in s %}{% for b in s %}{% for c in s %}"
    "x{% endfor %}{% endfor %}{% endfor %}",
    "endless macro": "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "branching macro": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(90) }}",
    "broken": "{% for x in %}",
    "unclosed": "{{ messages",
    "unknown tag": "{% shell %}",
    "deep": "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "long": "x" * 1_000_001,
    "namespace dunder": "{% set n = namespace() %}{% set n.__class__ = 1 %}",
    "do": "{% do messages.append(1) %}",
    "filter block": "{% filter attr('__class__') %}x{% endfilter %}",
    "debug": "{% debug %}",
    "trans": "{% trans %}x{% endtrans %}",
    "loop call": "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
    "conditional": "{{ ''['__class__' if true else 'x'] }}",
    "or": "{{ ''[none or '__class__'] }}",
    "default filter": "{{ ''[nothing | default('__class__')] }}",
    "lower": "{{ ''['__CLASS__' | lower] }}",
    "split": "{{ ''['a,__class__'.split(',')[1]] }}",
    "strip": "{{ ''[' __class__ '.strip()] }}",
    "slice": "{{ ''['x__class__'[1:]] }}",
    "dict keys": "{% for k in {'__class__': 1} %}{{ ''[k] }}{% endfor %}",
    "pop": "{% set l = ['_' ~ '_class__'] %}{{ ''[l.pop()] }}",
    "get": "{% set l = {'a': '_' ~ '_class__'} %}{{ ''[l.get('a')] }}",
}

# What only happens with tools, or late in a long talk, must be seen without being tried out.
LATER: dict[str, str] = {
    "doubling": "{% set n = namespace(s='aaaa') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
    "adding": "{% set n = namespace(s='a') %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
    "doubling by two": "{% set n = namespace(s='a', t='') %}{% for m in messages %}{% set n.t = n.s ~ n.s %}"
    "{% set n.s = n.t %}{% endfor %}",
    "doubling by a variable": "{% set n = namespace(s='a') %}{% for m in messages %}{% set t = n.s ~ n.s %}"
    "{% set n.s = t %}{% endfor %}",
    "growing list": "{% set n = namespace(s=[1]) %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
    "growing by replace": "{% set n = namespace(s='a') %}{% for i in range(60) %}"
    "{% set n.s = n.s.replace('a', 'aa') %}{% endfor %}",
    "growing by join": "{% set n = namespace(s='a') %}{% for i in range(60) %}"
    "{% set n.s = [n.s, n.s] | join %}{% endfor %}",
    "much of little": "{% for a in range(90000) %}{{ 'x' * 9999 }}{% endfor %}",
    "far": "{% for a in range(900000) %}x{% endfor %}",
    "written out": "{% set a0 = 'aaaaaaaaaa' %}"
    + "".join(f"{{% set a{i + 1} = a{i} ~ a{i} %}}" for i in range(40))
    + "{{ a40 }}",
    "the same data": "{% for a in messages %}" * 9 + "x" + "{% endfor %}" * 9,
    "two loops": "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
    "branching": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(90) }}",
    "branching by two": "{% macro f(n) %}{{ g(n) }}{% endmacro %}"
    "{% macro g(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(90) }}",
    "endless": "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
}
BAD |= {
    f"later {name}": "{% if tools and messages | length > 50 %}" + text + "{% endif %}" for name, text in LATER.items()
}
BAD |= {
    "dict of an argument": "{% for k in dict(__class__=1) %}{{ ''[k] }}{% endfor %}",
    "namespace of an argument": "{% set n = namespace(__class__=1) %}{{ n }}",
    "setdefault": "{% set d = {} %}{{ d.setdefault('k', '__class__') }}{{ ''[d.k] }}",
    "update": "{% set d = {} %}{{ d.update({'k': '_' ~ '_class__'}) }}{{ ''[d.k] }}",
    "append": "{% set l = [] %}{{ l.append('_' ~ '_class__') }}{{ ''[l[0]] }}",
    "insert": "{% set l = [] %}{{ l.insert(0, '_' ~ '_class__') }}{{ ''[l[0]] }}",
    "extend": "{% set l = [] %}{{ l.extend(['_' ~ '_class__']) }}{{ ''[l.pop()] }}",
    "frame item": "{{ x['gi_frame'] }}",
    "kwargs": "{% macro f() %}{{ ''[kwargs.k] }}{% endmacro %}{{ f(k='__cl' ~ 'ass__') }}",
    "varargs": "{% macro f() %}{{ ''[varargs[0]] }}{% endmacro %}{{ f('__cl' ~ 'ass__') }}",
    "caller": "{% macro k() %}{{ ''[caller()] }}{% endmacro %}{% call k() %}__class__{% endcall %}",
    "from_json": "{{ ''['\"\\\\u005f_class__\"' | from_json] }}",
    "truncate": "{{ ''['__class__xx' | truncate(9, true, '')] }}",
    "strftime": "{{ ''[strftime_now('__class__')] }}",
    "first of a list": "{{ ''[['__class__'] | first] }}",
    "unpacked": "{% set a, b = ('_' ~ '_class__', 1) %}{{ ''[a] }}",
    "list of no macros": "{% set l = [messages.append] %}{{ l[0]('x') }}",
    "macros and more": "{% macro f() %}x{% endmacro %}{% set l = [f] %}{% set l = l + tools %}{{ l[0](*tools) }}",
    "infinite": "{{ 1e999 }}",
    "blocks in blocks": "{% for a in messages %}{% if a %}" * 2
    + "{% for b in tools %}" * 30
    + "x"
    + "{% endfor %}" * 30
    + "{% endif %}{% endfor %}" * 2,
    "context": "{{ context.environment.loader.__init__ }}",
    "center": "{{ 'a' | center(999999999) }}",
    "zfill": "{{ 'a'.zfill(999999999) }}",
    "batch": "{{ [1] | batch(999999999, 'x') | list }}",
    "width by a star": "{{ '%0*d' % (999999999, 1) }}",
}

FOLDER = Path(__file__).parents[2] / "data" / "chat_templates"
GOOD: dict[str, str] = {file.stem: file.read_text("utf-8") for file in sorted(FOLDER.glob("*.jinja"))}


def bad() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of template files that must block."""
    yield from ((f"{name}.jinja", text.encode()) for name, text in BAD.items())


def good() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of template files that must pass."""
    yield from ((f"{name}.jinja", text.encode()) for name, text in GOOD.items())
