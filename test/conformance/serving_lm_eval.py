"""Runs lm-eval's `local-completions` on two small tasks against `cutlayer client serve`, and holds its
log likelihoods to those that the endpoint gives for the same tokens when they are asked for one by one.

    python serving_lm_eval.py URL MODEL TOKENIZER_DIR WORK_DIR        the key is in CUTLAYER_KEY
"""

import json
import os
import sys

url, model, tokenizer_dir, work = sys.argv[1:]
os.environ.update(HF_HOME=f"{work}/hf", HF_HUB_OFFLINE="1", OPENAI_API_KEY=os.environ["CUTLAYER_KEY"], TOKENIZERS_PARALLELISM="false")
os.environ.update(TQDM_DISABLE="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1", TRANSFORMERS_VERBOSITY="error")

import openai
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from transformers import AutoTokenizer

documents = [
    {"question": "The pump lost pressure.", "choices": [" a leak", " a fuse"], "answer": 0},
    {"question": "The lamp is dark.", "choices": [" a leak", " a fuse"], "answer": 1},
    {"question": "The valve sticks.", "choices": [" rust", " snow"], "answer": 0},
]
os.makedirs(f"{work}/tasks", exist_ok=True)
with open(f"{work}/tasks/documents.jsonl", "w") as file:
    file.writelines(json.dumps(document) + "\n" for document in documents)
common = f"""
dataset_path: json
dataset_kwargs: {{data_files: {{test: {work}/tasks/documents.jsonl}}}}
test_split: test
doc_to_text: question
"""
with open(f"{work}/tasks/choice.yaml", "w") as file:
    file.write(f"task: parts_choice\noutput_type: multiple_choice{common}doc_to_choice: choices\ndoc_to_target: answer\n")
with open(f"{work}/tasks/text.yaml", "w") as file:
    file.write(
        f"task: parts_text\noutput_type: generate_until{common}doc_to_target: '{{{{choices[answer]}}}}'\n"
        "generation_kwargs: {until: ['\\n'], max_gen_toks: 6}\nmetric_list: [{metric: exact_match}]\n"
    )

arguments = dict(model=model, base_url=f"{url}/v1/completions", tokenizer_backend="huggingface", tokenizer=tokenizer_dir, max_length=512)
result = simple_evaluate(
    model="local-completions",
    model_args={**arguments, "num_concurrent": 2, "max_retries": 1},
    tasks=["parts_choice", "parts_text"],
    task_manager=TaskManager(include_path=f"{work}/tasks", include_defaults=False),
    log_samples=True,
    bootstrap_iters=0,
)
client = openai.OpenAI(base_url=f"{url}/v1", api_key=os.environ["CUTLAYER_KEY"], max_retries=0)
tokenizer = AutoTokenizer.from_pretrained(tokenizer_dir)
compared = 0
for sample in result["samples"]["parts_choice"]:
    for (question, choice), response in zip([request for request in sample["arguments"]], sample["filtered_resps"]):
        both = tokenizer(question + choice, add_special_tokens=False).input_ids
        begin = len(tokenizer(question, add_special_tokens=False).input_ids)
        scores = client.completions.create(model=model, prompt=both, max_tokens=0, echo=True, logprobs=1).choices[0].logprobs
        expected = sum(scores.token_logprobs[begin:])
        assert abs(expected - float(response[0])) < 1e-4, (question, choice, expected, response)
        compared += 1
assert compared == 6, compared
assert len(result["samples"]["parts_text"]) == len(documents)
print(f"lm-eval: {compared} log likelihoods agree; accuracy {result['results']['parts_choice']['acc,none']}")
