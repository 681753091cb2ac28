"""As much of ttnn as the plugin asks for: captures, and tensors that leave nodes in them.

It stands in where no runtime is; with the real one the plugin is tested by .ci/exports.
"""
import itertools
import types

_captures = []  # and, as None, whatever else listens
_next = itertools.count(1048640, 2048)


class _Graph:
    RunMode = types.SimpleNamespace(NORMAL="normal", NO_DISPATCH="no_dispatch")

    def is_graph_capture_active(self):
        return any(nodes is not None for nodes in _captures)

    def begin_graph_capture(self, mode):
        _captures.append([])
        self.mode = mode
        _node("capture_start", None)

    def end_graph_capture(self):
        # The real one dies here.
        assert _captures, "a capture was ended that had not begun"
        if _captures[-1] is not None:
            _node("capture_end", None)
        return _captures.pop()  # the last one that listens, be it a capture or not


graph = _Graph()


def _node(kind, params, connections=()):
    if graph.is_graph_capture_active():
        nodes = [nodes for nodes in _captures if nodes is not None][-1]
        node = {"counter": len(nodes), "node_type": kind, "params": params, "connections": list(connections)}
        nodes.append({**node, "arguments": [], "input_tensors": [], "stacking_level": 1})
        return len(nodes) - 1


def open_mesh_device():
    """As the first one of a process: what counts memory listens from then on."""
    _captures.append(None)


class Tensor:
    """A buffer of one page of DRAM, at an address of its own unless one is given."""

    def __init__(self, address=None):
        self.address = next(_next) if address is None else address
        facts = {"device_id": 0, "layout": "INTERLEAVED", "size": 2048, "type": "DRAM", "buffer_type": 0}
        self.facts = {**facts, "address": self.address, "page_size": 2048, "max_size_per_bank": 2048, "num_cores": 0}
        self.buffer = _node("buffer", facts)
        _node("buffer_allocate", self.facts, [self.buffer])

    def __del__(self):
        if self.facts is not None:
            deallocate(self)


def deallocate(tensor):
    facts, tensor.facts = tensor.facts, None
    _node("buffer_deallocate", facts, [tensor.buffer])
