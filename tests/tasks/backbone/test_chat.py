"""A chat template is rendered, or refused; it never reaches Python and never runs without end."""

from __future__ import annotations

import time

import pytest

from tasks.backbone.chat import TemplateRefused, render

SMOLLM2 = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""
ASKED = [{"role": "user", "content": "What is 1 < 2 & 3?"}]
HOSTILE = {
    "class": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "class by key": "{{ messages['__class__'] }}",
    "globals": "{{ raise_exception.__globals__['os'].system('id') }}",
    "attr filter": "{{ ''|attr('__class__') }}",
    "escaped name": r"{{ ''|attr('\x5f\x5fclass\x5f\x5f') }}",
    "map filter": "{{ messages|map(attribute='__class__')|list }}",
    "cycler": "{{ cycler.__init__.__globals__ }}",
    "mutation": "{% set _ = messages.append(1) %}",
    "undefined method": "{{ messages.nothing() }}",
    "undefined function": "{{ strftime_now('%Y') }}",
    "range": "{% for i in range(99999) %}x{% endfor %}",
    "silent loops": "{% for i in text %}{% for j in text %}{% for k in text %}{% endfor %}{% endfor %}{% endfor %}",
    "product": "{{ 'a' * 999999999 }}",
    "power": "{{ 9 ** 9999999 }}",
    "format": "{{ '%999999999d' % 1 }}",
    "format method": "{{ '{:999999999}'.format(1) }}",
    "center": "{{ 'a'|center(999999999) }}",
    "indent": "{{ messages|tojson(indent=99999999) }}",
    "doubling": "{% set ns = namespace(x='aaaaaaaaaa') %}" + "{% set ns.x = ns.x + ns.x %}" * 60 + "{{ ns.x }}",
    "doubling by ~": "{% set x = text ~ text %}" * 30,
    "replace": "{{ text|replace('a', text) }}",
    "join": "{{ text.join(text) }}",
    "macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "recursive loop": "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
    "include": "{% include 'x' %}",
    "import": "{% import 'x' as x %}",
    "output": "{% for i in text %}{{ text }}{% endfor %}",
    "no template": "{% for %}",
    "long template": "a" * 30_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_is_refused_at_once(name: str) -> None:
    started = time.process_time()
    with pytest.raises(TemplateRefused, match=r"; (write the prompt yourself|send less)$"):
        render(HOSTILE[name], ASKED, text="a" * 1500)
    assert time.process_time() - started < 3


def test_published_templates_are_rendered_as_transformers_renders_them() -> None:
    from transformers.utils.chat_template_utils import render_jinja_template

    llama = (
        "{{- bos_token }}{%- set ns = namespace(seen=false) %}{%- for message in messages %}"
        "{%- if message.role == 'system' and not ns.seen %}{%- set ns.seen = true %}{%- endif %}"
        "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
        "{{- message['content'] | trim + '<|eot_id|>' }}{%- endfor %}"
        "{%- if tools is defined and tools %}{{ tools|tojson(indent=4) }}{% endif %}"
        "{%- if loop is defined or (messages|length % 2 == 0) %}even{% endif %}"
        "{%- for message in messages[::-1] %}{%- if message.content.startswith('What') %}!{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
    )
    more = {"add_generation_prompt": True, "bos_token": "<s>"}
    for template in (SMOLLM2, llama):
        theirs, _ = render_jinja_template([ASKED], chat_template=template, **more)
        assert render(template, ASKED, **more) == theirs[0]


def test_a_templates_own_refusal_is_told() -> None:
    with pytest.raises(TemplateRefused, match=r"\(only one system message\); write"):
        render("{{ raise_exception('only one system message') }}", ASKED)
