"""all-MiniLM-L6-v2 as an ONNX graph: BERT with six layers, then the mean of its tokens.

Built from the weights alone. Inputs: `ids` int64 (texts, tokens), `mask` int32 of the same shape, 1 for a token
and 0 for padding. Output: `mean` float32 (texts, 384), not normalised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Weights = Mapping[str, NDArray[np.float32]]

DIMENSIONS = 384
# What int8 does most harm to (measured): the second dense layer of the first two blocks.
SENSITIVE = ("layer0.out.dense", "layer1.out.dense")
_LAYERS, _HEADS, _EPSILON = 6, 12, 1e-12
# What these come with reads in onnxruntime from 1.14 on.
_OPSET, _CONTRIB_OPSET, _IR_VERSION = 17, 1, 8
_CONTRIB = "com.microsoft"


class _Graph:
    """Nodes and constants as they are added; each node has one output, named after it."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(
        self, kind: str, inputs: Sequence[str], name: str, *, contrib: bool = False, **attributes: int | float
    ) -> str:
        made = helper.make_node(kind, list(inputs), [name], name=name, domain=_CONTRIB if contrib else "")
        made.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(made)
        return name


def build(weights: Weights) -> onnx.ModelProto:
    """The model in float32. Raises `KeyError` where a weight is missing."""
    graph = _Graph()
    hidden = _embedded(graph, weights)
    for layer in range(_LAYERS):
        hidden = _layer(graph, weights, layer, hidden)
    _pooled(graph, hidden)
    shape = ["texts", "tokens"]
    made = helper.make_graph(
        graph.nodes,
        "all-MiniLM-L6-v2",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, shape),
            helper.make_tensor_value_info("mask", TensorProto.INT32, shape),
        ],
        [helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["texts", DIMENSIONS])],
        graph.constants,
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_CONTRIB, _CONTRIB_OPSET)]
    return helper.make_model(made, opset_imports=opsets, ir_version=_IR_VERSION)


def _embedded(graph: _Graph, weights: Weights) -> str:
    """Word, position and type (always the first) added up and normalised."""
    prefix = "embeddings."
    # Half precision keeps these to 4 digits in half the room; int8 does not, and it tells in the vectors.
    words = graph.constant("words", weights[f"{prefix}word_embeddings.weight"].astype(np.float16))
    places = weights[f"{prefix}position_embeddings.weight"] + weights[f"{prefix}token_type_embeddings.weight"][0]
    tokens = graph.node("Shape", ["ids"], "tokens", start=1, end=2)
    start = graph.constant("start", np.array([0], dtype=np.int64))
    placed = graph.node("Slice", [graph.constant("places", places), start, tokens], "placed")
    looked_up = graph.node("Cast", [graph.node("Gather", [words, "ids"], "half")], "looked_up", to=TensorProto.FLOAT)
    total = graph.node("Add", [looked_up, placed], "total")
    scale = graph.constant("embedded.scale", weights[f"{prefix}LayerNorm.weight"])
    shift = graph.constant("embedded.shift", weights[f"{prefix}LayerNorm.bias"])
    return graph.node("LayerNormalization", [total, scale, shift], "embedded", axis=-1, epsilon=_EPSILON)


def _layer(graph: _Graph, weights: Weights, layer: int, hidden: str) -> str:
    """Self-attention, then two dense layers; each is added to its input and normalised."""
    prefix, name = f"encoder.layer.{layer}.", f"layer{layer}."
    three = [f"{prefix}attention.self.{each}." for each in ("query", "key", "value")]
    joint = graph.constant(f"{name}qkv", np.concatenate([weights[f"{each}weight"].T for each in three], axis=1))
    bias = graph.constant(f"{name}qkv.bias", np.concatenate([weights[f"{each}bias"] for each in three]))
    seen = graph.node("Attention", [hidden, joint, bias, "mask"], f"{name}seen", contrib=True, num_heads=_HEADS)
    hidden = _added(graph, weights, f"{prefix}attention.output.", f"{name}attended", seen, hidden)
    widened = _dense(graph, weights, f"{prefix}intermediate.dense.", f"{name}wide", hidden)
    bias = graph.constant(f"{name}wide.bias", weights[f"{prefix}intermediate.dense.bias"])
    active = graph.node("BiasGelu", [widened, bias], f"{name}active", contrib=True)
    return _added(graph, weights, f"{prefix}output.", f"{name}out", active, hidden)


def _dense(graph: _Graph, weights: Weights, prefix: str, name: str, given: str) -> str:
    matrix = graph.constant(f"{name}.matrix", weights[f"{prefix}weight"].T)
    return graph.node("MatMul", [given, matrix], name)


def _added(graph: _Graph, weights: Weights, prefix: str, name: str, given: str, skipped: str) -> str:
    dense = _dense(graph, weights, f"{prefix}dense.", f"{name}.dense", given)
    scale = graph.constant(f"{name}.scale", weights[f"{prefix}LayerNorm.weight"])
    shift = graph.constant(f"{name}.shift", weights[f"{prefix}LayerNorm.bias"])
    bias = graph.constant(f"{name}.bias", weights[f"{prefix}dense.bias"])
    inputs = [dense, skipped, scale, shift, bias]
    return graph.node("SkipLayerNormalization", inputs, name, contrib=True, epsilon=_EPSILON)


def _pooled(graph: _Graph, hidden: str) -> str:
    """The mean over the tokens that the mask keeps."""
    kept = graph.node("Cast", ["mask"], "kept", to=TensorProto.FLOAT)
    last = graph.constant("last", np.array([2], dtype=np.int64))
    second = graph.constant("second", np.array([1], dtype=np.int64))
    weighed = graph.node("Mul", [hidden, graph.node("Unsqueeze", [kept, last], "column")], "weighed")
    total = graph.node("ReduceSum", [weighed, second], "sum", keepdims=0)
    count = graph.node("ReduceSum", [kept, second], "count", keepdims=1)
    return graph.node("Div", [total, count], "mean")
