"""An ONNX graph, written node by node: torch is asked for weights alone, and nothing is traced.

So a graph holds no shape but those of weights, a block that several layers use is stored once, and 8-bit weights are
made where they are used. Operations are those of ONNX itself (opset 20), which every runtime knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

OPSET = 20
"""The first one with GELU; ONNX Runtime 1.17 and OpenVINO 2024 know it."""
IR_VERSION = 9
INT8_LIMIT = 127
Precision = Literal["float32", "int8"]
Value = str
"""The name of what a node gives."""
Axis = int | str
"""A size that is fixed, or the name of one that is not."""


class Graph:
    """A graph that grows by a node a call. Values are named by the nodes that make them.

    precision: "int8" keeps the weights of linear maps and of the word table in 8 bits (a scale for each output, or
    word) and rounds what enters a linear map anew for each call.
    """

    def __init__(self, network: nn.Module, precision: Precision = "float32") -> None:
        self.precision = precision
        self._names = {id(parameter): name for name, parameter in network.named_parameters()}
        self._nodes: list[NodeProto] = []
        self._weights: dict[str, NDArray[Any]] = {}
        self._made: dict[tuple[str, ...], Value] = {}  # what is needed more than once
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def node(self, operation: str, *inputs: Value, name: Value = "", **attributes: Any) -> Value:
        """One node with one output, which is its value."""
        return self.nodes(operation, *inputs, names=[name] if name else None, outputs=1, **attributes)[0]

    def nodes(
        self, operation: str, *inputs: Value, outputs: int, names: Sequence[Value] | None = None, **attributes: Any
    ) -> list[Value]:
        """One node with several outputs."""
        from onnx import helper

        results = list(names or (f"{operation.lower()}.{len(self._nodes)}.{place}" for place in range(outputs)))
        self._nodes.append(helper.make_node(operation, list(inputs), results, **attributes))
        return results

    def constant(self, value: Any, dtype: type = np.int64) -> Value:
        """Numbers that are known beforehand."""
        array: NDArray[Any] = np.asarray(value, dtype=dtype)
        return self._store(f"constant.{array.dtype}.{array.shape}.{array.tolist()}", array)

    def weight(self, tensor: Tensor, form: str = "") -> Value:
        """A parameter, stored once however often it is used; form: "" as it is, "transposed" with its axes swapped."""
        array = _numbers(tensor)
        return self._store(self._name(tensor, form), np.ascontiguousarray(array.T) if form else array)

    def linear(self, x: Value, weight: Tensor, bias: Tensor | None) -> Value:
        """x (..., inputs), weight (outputs, inputs), bias (outputs) -> (..., outputs)."""
        if self.precision == "int8":
            name, numbers, scales = self._name(weight, "int8"), *_eight_bits(_numbers(weight).T, axis=0)
            mapped = self._int8_product(x, self._store(name, numbers), self._store(f"{name}.scales", scales))
        else:
            mapped = self.node("MatMul", x, self.weight(weight, "transposed"))
        return mapped if bias is None else self.node("Add", mapped, self.weight(bias))

    def rows(self, table: Tensor, ids: Value) -> Value:
        """Rows of a table (rows, width) by their numbers (...): (..., width)."""
        if self.precision == "float32":
            return self.node("Gather", self.weight(table), ids)
        numbers, scales = self._table(table)
        picked = self.node("Cast", self.node("Gather", numbers, ids), to=_type("FLOAT"))
        return self.node("Mul", picked, self.node("Gather", scales, ids))

    def against_rows(self, x: Value, table: Tensor, bias: Tensor) -> Value:
        """x (..., width) times every row of a table that is stored already: (..., rows)."""
        if self.precision == "float32":
            transposed = self.node("Transpose", self.weight(table), perm=[1, 0])
            return self.node("Add", self.node("MatMul", x, transposed), self.weight(bias))
        numbers, scales = self._table(table)
        flat = self.node("Reshape", scales, self.constant([-1]))
        product = self._int8_product(x, self.node("Transpose", numbers, perm=[1, 0]), flat)
        return self.node("Add", product, self.weight(bias))

    # -- the whole -----------------------------------------------------------------------------------------------------

    def input(self, name: Value, axes: Sequence[Axis], kind: Literal["INT64", "FLOAT"] = "INT64") -> Value:
        """Numbers that are given anew in each call: whole ones, unless told."""
        from onnx import helper

        self._inputs.append(helper.make_tensor_value_info(name, _type(kind), list(axes)))
        return name

    def output(self, value: Value, name: Value, axes: Sequence[Axis]) -> None:
        """Give a value out under a name."""
        from onnx import helper

        self.node("Identity", value, name=name)
        self._outputs.append(helper.make_tensor_value_info(name, _type("FLOAT"), list(axes)))

    def model(self, title: str, about: Mapping[str, str]) -> ModelProto:
        """The graph as ONNX writes it."""
        from onnx import helper, numpy_helper

        weights = [numpy_helper.from_array(array, name) for name, array in self._weights.items()]
        graph = helper.make_graph(self._nodes, title, self._inputs, self._outputs, weights)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="bortlab"
        )
        helper.set_model_props(model, dict(about))
        return model

    # -- inside --------------------------------------------------------------------------------------------------------

    def _int8_product(self, x: Value, weight: Value, scales: Value) -> Value:
        """x (..., inputs) times 8-bit weights (inputs, outputs) with a scale for each output: (..., outputs)."""
        if ("rounded", x) not in self._made:
            parts = self.nodes("DynamicQuantizeLinear", x, outputs=3)
            self._made |= {(part, x): value for part, value in zip(("rounded", "scale", "zero"), parts, strict=True)}
        rounded, scale, zero = (self._made[part, x] for part in ("rounded", "scale", "zero"))
        product = self.node("Cast", self.node("MatMulInteger", rounded, weight, zero), to=_type("FLOAT"))
        return self.node("Mul", product, self.node("Mul", scale, scales))

    def _table(self, table: Tensor) -> tuple[Value, Value]:
        """A table in 8 bits, and the scales (rows, 1) of its rows."""
        name, numbers, scales = self._name(table, "int8"), *_eight_bits(_numbers(table), axis=1)
        return self._store(name, numbers), self._store(f"{name}.scales", scales[:, None])

    def _name(self, tensor: Tensor, form: str) -> str:
        name = self._names.get(id(tensor)) or f"weight.{len(self._weights)}"
        return f"{name}.{form}" if form else name

    def _store(self, name: Value, array: NDArray[Any]) -> Value:
        self._weights.setdefault(name, array)
        return name


def _numbers(tensor: Tensor) -> NDArray[np.float32]:
    numbers: NDArray[np.float32] = tensor.detach().to("cpu", torch.float32).numpy()
    return numbers


def _eight_bits(weight: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Numbers from -127 to 127, and for each place of the other axis the scale that makes them the weights again."""
    largest = np.abs(weight).max(axis=axis, keepdims=True)
    scales = np.where(largest > 0, largest / INT8_LIMIT, 1).astype(np.float32)
    return np.ascontiguousarray(np.rint(weight / scales).astype(np.int8)), scales.reshape(-1)


def _type(name: str) -> int:
    from onnx import TensorProto

    return int(getattr(TensorProto, name))
