"""Loads an adapter that `cutlayer client train` wrote into PEFT and prints PEFT's loss on a data file, for comparison with `cutlayer client eval`.

    python test/conformance/check_client_adapter.py CHECKPOINT ADAPTER DATA.jsonl

DATA.jsonl holds {prompt, completion} records; the loss is the mean over all completion tokens and their end-of-sequence tokens.
"""

import json
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

torch.set_num_threads(1)
checkpoint, adapter, data = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
base = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
model = PeftModel.from_pretrained(base, adapter).eval()

total, count = 0.0, 0
with torch.no_grad(), open(data, encoding="utf-8") as lines:
    for line in lines:
        record = json.loads(line)
        prompt = tokenizer(record["prompt"])["input_ids"]
        completion = tokenizer(record["completion"], add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        ids = torch.tensor([prompt + completion])
        labels = torch.tensor([[-100] * len(prompt) + completion])
        output = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels)
        total += output.loss.item() * len(completion)
        count += len(completion)
print(json.dumps({"loss": total / count, "targets": count}))
