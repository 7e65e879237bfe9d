"""The blocks that layers are made of: names and shapes of their tensors, as llama.cpp writes them."""

from collections.abc import Iterator

from tests.shapes.shape import Tensor


def norms(width: int, *names: str) -> Iterator[Tensor]:
    """Norms of a whole row."""
    for name in names:
        yield f"{name}.weight", (width,)


def attention(
    width: int,
    heads: int,
    kv: int,
    length: int,
    *,
    bias: bool = False,
    norm: int = 0,
    wider_queries: int = 1,
) -> Iterator[Tensor]:
    """Separate queries, keys and values; `norm` is the length of norms on queries and keys, 0 for none."""
    yield "attn_q.weight", (width, heads * length * wider_queries)
    yield "attn_k.weight", (width, kv * length)
    yield "attn_v.weight", (width, kv * length)
    yield "attn_output.weight", (heads * length, width)
    if bias:
        yield "attn_q.bias", (heads * length,)
        yield "attn_k.bias", (kv * length,)
        yield "attn_v.bias", (kv * length,)
    if norm:
        yield from norms(norm, "attn_q_norm", "attn_k_norm")


def feed_forward(width: int, inner: int) -> Iterator[Tensor]:
    """A gated feed-forward block."""
    yield "ffn_gate.weight", (width, inner)
    yield "ffn_up.weight", (width, inner)
    yield "ffn_down.weight", (inner, width)


def experts(width: int, inner: int, count: int) -> Iterator[Tensor]:
    """Experts and the gate that chooses among them."""
    yield "ffn_gate_inp.weight", (width, count)
    yield "ffn_gate_exps.weight", (width, inner, count)
    yield "ffn_up_exps.weight", (width, inner, count)
    yield "ffn_down_exps.weight", (inner, width, count)


def shared_experts(width: int, inner: int) -> Iterator[Tensor]:
    """The experts that every token uses."""
    yield "ffn_gate_shexp.weight", (width, inner)
    yield "ffn_up_shexp.weight", (width, inner)
    yield "ffn_down_shexp.weight", (inner, width)


def mamba2(width: int, inner: int, state: int, groups: int, steps: int, kernel: int) -> Iterator[Tensor]:
    """A recurrent block of the second kind."""
    mixed = inner + 2 * groups * state
    yield "ssm_in.weight", (width, inner + mixed + steps)
    yield "ssm_conv1d.weight", (kernel, mixed)
    yield "ssm_conv1d.bias", (mixed,)
    yield "ssm_dt.bias", (steps,)
    yield "ssm_a", (1, steps)
    yield "ssm_d", (1, steps)
    yield "ssm_norm.weight", (inner // groups, groups)
    yield "ssm_out.weight", (inner, width)
