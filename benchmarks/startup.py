"""How long the command line takes to answer."""

from benchmarks.measure import BIN, Figure, median_seconds, run


def measure() -> list[Figure]:
    """`--help` of ours and of huggingface_hub's command line, which people type as often."""
    return [
        Figure("--help", "modelshelf", median_seconds(lambda: run(BIN / "modelshelf", "--help"), times=9), "s", 0.5),
        Figure("--help", "hf (huggingface_hub)", median_seconds(lambda: run(BIN / "hf", "--help"), times=9), "s"),
        Figure("--help", "jupyter lab", median_seconds(lambda: run(BIN / "jupyter-lab", "--help"), times=3), "s"),
    ]
