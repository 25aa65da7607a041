"""How Python writes values in a chat template: text and JSON of tool arguments, floats and long integers with their source's look.

The arguments are kept as text, since a parser may lose 1.0 and 12345678901234567890."""

import json
from pathlib import Path

from transformers.utils.chat_template_utils import render_jinja_template

ARGUMENTS = (
    '{"one": 1.0, "thousand": 1e3, "tenth": 0.1, "small": 1e-5, "smaller": 1.5E-7, "large": 1e16, "zero": -0.0, "none": -0, "long": 12345678901234567890, '
    '"near": 9007199254740993, "half": 2.50, "yes": true, "null": null, "text": "it\'s \\"x\\" \\u00e9 \\n\\t\\u0001 1.0", "quote": "a\'b", "wide": "\\u200b\\u00a0\\ud83d\\ude00", '
    '"list": [1, 2.0, []], "empty": {}, "Upper": 1, "nested": {"x": 3.0}}'
)
MESSAGES = (
    '[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": ' + ARGUMENTS + "}}]}]"
)
A = "messages[1].tool_calls[0].function.arguments"
TEMPLATES = [
    *(f"{{{{ {A}.{key} }}}}|{{{{ {A}.{key} | tojson }}}}|{{{{ {A}.{key} ~ 'x' }}}}|{{{{ {A}.{key} | string }}}}" for key in json.loads(ARGUMENTS)),
    f"{{{{ {A} }}}}",
    f"{{{{ {A} | tojson }}}}",
    f"{{{{ {A} | tojson(indent=2) }}}}",
    f"{{{{ {A} | tojson(true) }}}}",
    f"{{{{ {A} | tojson(indent=4, sort_keys=True, ensure_ascii=True) }}}}",
    f"{{{{ {A} | tojson(separators=(',', ':')) }}}}",
    "{{ messages[1].tool_calls }}",
    f"{{{{ {A}.list | join('-') }}}}",
    f"{{{{ {A}.one + 1 }}}} {{{{ {A}.one == 1 }}}} {{{{ {A}.one is number }}}} {{{{ {A}.half * 2 }}}}",
    f"{{% for key, value in {A} | items %}}{{{{ key }}}}={{{{ value }}}};{{% endfor %}}",
    "{{ [] == [] }} {{ [1, {'a': 2}] == [1, {'a': 2.0}] }} {{ {'a': 1} == {'a': 1} }} {{ {'a': 1} != {'a': 2} }} {{ '1' == 1 }} {{ missing == none }}",
    "{{ 'a' ~ 1 ~ true ~ none ~ missing ~ [1] }}",
    "{{ -7 % 3 }} {{ 7 % -3 }} {{ 7.5 % 2 }} {{ 4 / 2 }}",
    "{{ true }} {{ not true }} {{ [true, none, 'a'] }} {{ (1, 'b') }} {{ missing }}",
    f"{{{{ {A}.wide | length }}}} {{{{ {A}.list | length }}}}",
    "{{ messages | tojson | length }}",
    *(
        "{% set d = {'b': 2, 'a': 'x'} %}" + use
        for use in (
            "{{ d.items() | list }} {{ d | items | list }} {{ d.items() }} {{ d.keys() }} {{ d.values() }} {{ d.keys() | list }} {{ d.values() | list | tojson }}",
            "{% for pair in d.items() %}{{ pair }}{{ pair[0] }}{{ pair | tojson }}{% endfor %}",
            "{{ d | dictsort }}{% for pair in d | dictsort(reverse=true) %}{{ pair }}{% endfor %}",
            "{{ d.items() | list | tojson }} {{ (d.items() | list)[0] == ('b', 2) }} {{ (d.items() | list)[0] == ['b', 2] }} {{ d.items() | first }} {{ d.items() | list | string }}",
        )
    ),
    "{{ messages[0].x is defined }} {{ messages[0].x is none }} {{ (messages[0].x or {}).y is defined }} {{ messages[0].x and messages[0].x.y is defined }} {{ messages[0].content.x is defined }}",
]


def make_value_cases() -> dict:
    values = []
    for template in TEMPLATES:
        rendered, _ = render_jinja_template(conversations=[json.loads(MESSAGES)], chat_template=template)
        values.append({"template": template, "text": rendered[0]})
    return {"messages": MESSAGES, "values": values}


def write_value_cases(directory: Path) -> None:
    document = make_value_cases()
    rows = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in document["values"])
    (directory / "values.json").write_text(f'{{\n "messages": {json.dumps(MESSAGES)},\n "values": [\n{rows}\n ]\n}}\n')
