"""The 8-bit network as an ONNX graph of integer convolutions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from mri_resorb.segment.close_up import SHAPE
from training.rounding import EightBit, weight_steps


def as_onnx(network: EightBit) -> onnx.ModelProto:
    """The network as an ONNX graph of integer convolutions.

    Returns:
        `slices` (1, planes, rows, columns) to `logits` (1, classes, rows, columns), float32, as
        the network itself; rows and columns are free, but for the closer look's.
    """
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, values: npt.NDArray[np.generic]) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def array(values: Tensor) -> npt.NDArray[np.float32]:
        return np.asarray(values.detach().float().numpy())

    zero = constant("zero", np.array(0, np.uint8))
    twice = constant("twice", np.array([1, 1, 2, 2], np.float32))
    steps = {step: f"step{n}" for n, step in enumerate(dict.fromkeys(network.rounded))}
    for step, name in steps.items():
        constant(name, array(step.step).reshape(()))

    x = add("SpaceToDepth", ["slices"], "folded", blocksize=2)
    # SpaceToDepth puts the pixels of a block before the planes, PixelUnshuffle after them.
    planes = network.convolutions[0].in_channels // 4
    order = np.arange(4 * planes).reshape(planes, 4).T.ravel()
    if network.place is not None:
        x = add("Add", [x, constant("place", array(network.place)[:, order])], "placed")
    first = network.convolutions[0]
    x = add(
        "Conv",
        [
            x,
            constant("weight0", array(first.weight)[:, order]),
            constant("bias0", array(first.bias)),
        ],
        "convolved0",
        pads=[1, 1, 1, 1],
    )
    x_step = steps[network.rounded[0]]
    x = add("QuantizeLinear", [x, x_step, zero], "rounded0")
    blocks, skipped = len(network.rounded) // 2, []
    for k in range(1, len(network.rounded)):
        block = k // 2
        if k % 2 == 0 and block <= blocks // 2:
            skipped.append(x)
            x = add("MaxPool", [x], f"pooled{block}", kernel_shape=[2, 2], strides=[2, 2])
        elif k % 2 == 0:
            x = add(
                "Resize",
                [x, "", twice],
                f"larger{block}",
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
            x = add("Concat", [x, skipped.pop()], f"joined{block}", axis=1)
        weight, bias = network.convolutions[k].weight, network.convolutions[k].bias
        scale = array(weight_steps(weight))
        levels = np.rint(array(weight) / scale[:, None, None, None])
        before = float(network.rounded[k - 1].step)
        x = add(
            "QLinearConv",
            [
                x,
                x_step,
                zero,
                constant(f"weight{k}", levels.astype(np.int8)),
                constant(f"weight_step{k}", scale),
                constant(f"weight_zero{k}", np.zeros(len(scale), np.int8)),
                steps[network.rounded[k]],
                zero,
                constant(f"bias{k}", np.rint(array(bias) / (before * scale)).astype(np.int32)),
            ],
            f"convolved{k}",
            pads=[1, 1, 1, 1],
        )
        x_step = steps[network.rounded[k]]
    x = add("DequantizeLinear", [x, x_step, zero], "unrounded")
    x = add(
        "Conv",
        [
            x,
            constant("head", array(network.head.weight)),
            constant("head_bias", array(network.head.bias)),
        ],
        "outlined",
    )
    add("DepthToSpace", [x], "logits", blocksize=2, mode="CRD")
    close_up = network.place is not None
    size = [1, *SHAPE] if close_up else [1, "rows", "columns"]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [size[0], count, *size[1:]])
        for name, count in (("slices", planes), ("logits", network.head.out_channels // 4))
    ]
    graph = helper.make_graph(nodes, "outlines", [ends[0]], [ends[1]], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model
