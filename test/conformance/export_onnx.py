"""Writes the ONNX backbones of test/fixtures/onnx-*: the blocks of the committed checkpoints, by torch's own exporters.

What such a graph computes is held to the reference values of the checkpoint that it was made from, so nothing else is stored.

    python test/conformance/export_onnx.py [NAME ...]
"""

import sys
import tempfile
from pathlib import Path

import onnx
import torch
from transformers import AutoModelForCausalLM

FIXTURES = Path(__file__).parent.parent / "fixtures"


class Backbone(torch.nn.Module):
    """A decoder without token embedding and head."""

    def __init__(self, decoder: torch.nn.Module):
        super().__init__()
        self.decoder = decoder

    def forward(self, inputs_embeds: torch.Tensor) -> torch.Tensor:
        return self.decoder(inputs_embeds=inputs_embeds, use_cache=False).last_hidden_state


class MaskedBackbone(Backbone):
    """The same with mask and positions written out, which the TorchScript exporter can follow."""

    def forward(self, inputs_embeds: torch.Tensor) -> torch.Tensor:
        length = inputs_embeds.shape[1]
        position_ids = torch.arange(length, device=inputs_embeds.device).unsqueeze(0)
        visible = position_ids[0][None, :] <= position_ids[0][:, None]
        mask = torch.zeros(length, length).masked_fill(~visible, torch.finfo(torch.float32).min)[None, None]
        return self.decoder(
            inputs_embeds=inputs_embeds, attention_mask=mask, position_ids=position_ids, use_cache=False
        ).last_hidden_state


def load(checkpoint: str, attention: str = "sdpa") -> torch.nn.Module:
    model = AutoModelForCausalLM.from_pretrained(FIXTURES / checkpoint, dtype=torch.float32, attn_implementation=attention)
    return model.eval().requires_grad_(False).base_model


def export_dynamo(module: torch.nn.Module, hidden_size: int, path: Path, opset: int, external_data: bool, optimize: bool = True) -> None:
    torch.onnx.export(
        module,
        (torch.randn(2, 7, hidden_size),),
        path,
        dynamo=True,
        opset_version=opset,
        input_names=["inputs_embeds"],
        output_names=["last_hidden_state"],
        dynamic_shapes=({0: torch.export.Dim("batch"), 1: torch.export.Dim("sequence")},),
        external_data=external_data,
        optimize=optimize,
    )


def export_torchscript(module: torch.nn.Module, hidden_size: int, path: Path, opset: int) -> None:
    dynamic = {0: "batch", 1: "sequence"}
    torch.onnx.export(
        module,
        (torch.randn(2, 7, hidden_size),),
        path,
        dynamo=False,
        opset_version=opset,
        input_names=["inputs_embeds"],
        output_names=["last_hidden_state"],
        dynamic_axes={"inputs_embeds": dynamic, "last_hidden_state": dynamic},
    )


def without_traces(source: Path, target: Path) -> None:
    """Copies a graph without the stack traces that exporters put into it: they name files of the machine that exported."""
    model = onnx.load(source, load_external_data=False)
    for thing in [model, model.graph, *model.functions]:
        del thing.metadata_props[:]
        thing.doc_string = ""
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    values = [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]
    for thing in [*nodes, *values]:
        del thing.metadata_props[:]
        thing.doc_string = ""
    onnx.save(model, target)


def write_gpt2(directory: Path) -> None:
    """The whole of transformers' GPT2Model, final norm included; weights beside the graph."""
    decoder = load("gpt2-tiny")
    export_dynamo(Backbone(decoder), decoder.config.n_embd, directory / "backbone.onnx", opset=18, external_data=True)


def write_llama(directory: Path) -> None:
    """LlamaModel up to its final norm, in the newest operator set; weights inside the graph."""
    decoder = load("llama-tiny")
    decoder.norm = torch.nn.Identity()
    export_dynamo(Backbone(decoder), decoder.config.hidden_size, directory / "backbone.onnx", opset=23, external_data=False)


def write_llama_torchscript(directory: Path) -> None:
    """LlamaModel by the TorchScript exporter."""
    decoder = load("llama-tiny", attention="eager")
    export_torchscript(MaskedBackbone(decoder), decoder.config.hidden_size, directory / "backbone.onnx", opset=17)


WRITERS = {"onnx-gpt2": write_gpt2, "onnx-llama": write_llama, "onnx-llama-torchscript": write_llama_torchscript}


def main(names: list[str]) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for name in names or WRITERS:
        target = FIXTURES / name
        target.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            WRITERS[name](Path(scratch))
            without_traces(Path(scratch) / "backbone.onnx", target / "backbone.onnx")
            for data in Path(scratch).glob("*.data"):
                (target / data.name).write_bytes(data.read_bytes())
        print(name, {path.name: path.stat().st_size for path in sorted(target.iterdir())})


if __name__ == "__main__":
    main(sys.argv[1:])
