/** A chat template that writes tools as Hermes does, and asks for tags. */
export const TOOL_TEMPLATE =
  "{{ bos_token }}{% if tools %}Tools: {{ tools | tojson }} Call with <tool_call>.{% endif %}{% for m in messages %}<|turn|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}<|turn|>assistant\n";
